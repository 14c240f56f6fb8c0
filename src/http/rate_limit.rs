//! How many requests a client may send, by endpoint class; the counting is actix-governor's.
//!
//! Each client has a bucket of its own. What is known of clients stays bounded: buckets that are full again are
//! forgotten, and beyond [`MOST_CLIENTS`] newcomers share buckets.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::Arc,
};

use actix_governor::{
    Governor, GovernorConfig, GovernorConfigBuilder, KeyExtractor,
    governor::{
        NotUntil,
        clock::{Clock as _, DefaultClock, QuantaInstant},
        middleware::StateInformationMiddleware,
    },
};
use actix_web::{
    Error, HttpMessage as _, HttpResponse, HttpResponseBuilder,
    dev::{Service as _, ServiceRequest, ServiceResponse, Transform as _},
};

use super::{
    App,
    authorize::Authorized,
    client::Client,
    error::{self, ApiError},
};
use crate::{
    metrics::Metrics,
    settings::{
        Settings,
        rate::{Rate, RateLimit},
    },
};

/// Clients with a bucket of their own; about 10 MiB.
const MOST_CLIENTS: usize = 100_000;

/// Counts a request, and answers it with 429 if its client has sent too many.
///
/// # Errors
/// Those of the handler.
pub(super) async fn counted(
    request: ServiceRequest,
    app: &App,
    next: Authorized,
) -> Result<ServiceResponse, Error> {
    let limits = app.limits.now();
    let limit = Class::of(request.match_info().as_str()).and_then(|class| limits.of(class));
    let Some(limit) = limit else {
        return next.call(request).await;
    };
    let bucket = limit.bucket(&Client::of(&request, app));
    request.extensions_mut().insert(bucket);
    let counted = Governor::new(&limit.governor).new_transform(next).into_inner();
    // Its construction cannot fail.
    let Ok(counted) = counted else { return Err(ApiError::Internal.into()) };
    Ok(counted.call(request).await?.map_into_boxed_body())
}

/// Endpoints that are counted together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    Default,
    Execute,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Execute => "execute",
        }
    }

    /// By the path as it is routed, `%65` for `e` taken out. `None` for what monitoring asks: it must be answered most of all when there is too much to do.
    fn of(path: &str) -> Option<Self> {
        match path {
            "/health" | "/metrics" => None,
            path if path.starts_with("/health/") => None,
            "/api/v1/execute" => Some(Self::Execute),
            _ => Some(Self::Default),
        }
    }
}

/// The limits of all classes with what is known of their clients.
pub struct Limits {
    default: Option<Limit>,
    execute: Option<Limit>,
}

struct Limit {
    governor: GovernorConfig<ByBucket, StateInformationMiddleware>,
    crowd: RandomState,
}

impl Limits {
    /// Empty buckets by the settings' rates; full ones are counted in `metrics`.
    #[must_use]
    pub fn new(settings: &Settings, metrics: &Metrics) -> Self {
        Self {
            default: Limit::new(settings.rate_limit_default, Class::Default, metrics),
            execute: Limit::new(settings.rate_limit_execute, Class::Execute, metrics),
        }
    }

    /// Drops the buckets of clients that are as good as new; to be called now and then.
    pub fn forget_idle(&self) {
        for limit in [&self.default, &self.execute].into_iter().flatten() {
            limit.forget_idle();
        }
    }

    fn of(&self, class: Class) -> Option<&Limit> {
        match class {
            Class::Default => self.default.as_ref(),
            Class::Execute => self.execute.as_ref(),
        }
    }
}

impl Limit {
    fn new(RateLimit(rate): RateLimit, class: Class, metrics: &Metrics) -> Option<Self> {
        let rate = rate?;
        let metrics = metrics.clone();
        let governor = GovernorConfigBuilder::default()
            .const_period(rate.share())
            .const_burst_size(rate.count.get())
            .key_extractor(ByBucket { rate, class, metrics })
            .use_headers()
            .finish()?;
        Some(Self { governor, crowd: RandomState::new() })
    }

    fn bucket(&self, client: &Client) -> Bucket {
        let bucket = Bucket::of(client);
        if self.governor.limiter().len() < MOST_CLIENTS {
            return bucket;
        }
        if matches!(bucket, Bucket::Key(_)) {
            return bucket;
        }
        // Whoever makes up addresses by the million shares with others who do.
        let [high, low, ..] = self.crowd.hash_one(&bucket).to_be_bytes();
        Bucket::Crowd(u16::from_be_bytes([high, low]))
    }

    fn forget_idle(&self) {
        let limiter = self.governor.limiter();
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

/// Who is counted as one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Bucket {
    /// An IPv4 address, or the /64 that a subscriber has of IPv6.
    Address([u8; 8]),
    /// The API key of this name, wherever it is used.
    Key(Arc<str>),
    /// One of those that came when there were too many.
    Crowd(u16),
}

impl Bucket {
    fn of(client: &Client) -> Self {
        if let Some(name) = client.key() {
            return Self::Key(Arc::clone(name));
        }
        let mut prefix = [0; 8];
        match client.address {
            IpAddr::V4(v4) => {
                // Not the beginning of any IPv6 address in use.
                prefix = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
                prefix.iter_mut().skip(4).zip(v4.octets()).for_each(|(to, from)| *to = from);
            }
            IpAddr::V6(v6) => {
                prefix.iter_mut().zip(v6.octets()).for_each(|(to, from)| *to = from);
            }
        }
        Self::Address(prefix)
    }
}

/// Reads the bucket that the middleware has put into the request, and answers for full ones.
#[derive(Clone)]
struct ByBucket {
    rate: Rate,
    class: Class,
    metrics: Metrics,
}

impl KeyExtractor for ByBucket {
    type Key = Bucket;
    type KeyExtractionError = ApiError;

    fn extract(&self, request: &ServiceRequest) -> Result<Bucket, ApiError> {
        request.extensions().get::<Bucket>().cloned().ok_or(ApiError::Internal)
    }

    fn exceed_rate_limit_response(
        &self,
        negative: &NotUntil<QuantaInstant>,
        mut response: HttpResponseBuilder,
    ) -> HttpResponse {
        self.metrics.rate_limited(self.class.name());
        let wait = negative.wait_time_from(DefaultClock::default().now());
        // Rounded up: whoever comes back then is let in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response
            .insert_header(("retry-after", seconds))
            .insert_header(("x-ratelimit-after", seconds));
        error::rate_limited(&mut response, self.rate, seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Instant};

    use super::*;
    use crate::access::Admission;

    fn client(address: impl Into<IpAddr>) -> Client {
        Client { address: address.into(), admission: Admission::Missing }
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_the_64_of_an_ipv6_one() {
        let bucket = |text: &str| Bucket::of(&client(text.parse::<IpAddr>().unwrap()));
        assert_ne!(bucket("192.0.2.1"), bucket("192.0.2.2"));
        assert_eq!(bucket("2001:db8:1:2:3::1"), bucket("2001:db8:1:2:ffff::2"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
    }

    #[test]
    fn a_million_addresses_take_the_room_of_a_bounded_number_and_are_forgotten() {
        let new = |rate: &str| {
            Limit::new(rate.parse().unwrap(), Class::Default, &Metrics::new()).unwrap()
        };
        let limit = new("1000/second");
        let limiter = limit.governor.limiter();
        let slow = new("1/day");
        let remembering = slow.governor.limiter();
        for number in 0..1_000_000_u32 {
            let client = client(Ipv4Addr::from(number));
            limiter.check_key(&limit.bucket(&client)).ok();
            remembering.check_key(&slow.bucket(&client)).ok();
        }
        let bound = MOST_CLIENTS + usize::from(u16::MAX) + 1;
        assert!(limiter.len() <= bound && remembering.len() <= bound, "{}", remembering.len());
        // Those of a day are still known after a sweep, those of a thousandth of a second are not.
        slow.forget_idle();
        assert!(remembering.len() >= MOST_CLIENTS, "{}", remembering.len());
        let begun = Instant::now();
        while !limiter.is_empty() {
            limit.forget_idle();
            assert!(begun.elapsed().as_secs() < 30, "{} clients are still known", limiter.len());
        }
    }

    #[test]
    fn monitoring_is_never_counted() {
        for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
            assert_eq!(Class::of(path), None, "{path}");
        }
        assert_eq!(Class::of("/api/v1/execute"), Some(Class::Execute));
        for path in ["/", "/healthy", "/api/v1/validate", "/docs/", "/nowhere"] {
            assert_eq!(Class::of(path), Some(Class::Default), "{path}");
        }
    }
}
