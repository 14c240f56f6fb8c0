//! The fields of SSH's binary forms (RFC 4251, section 5), read from the front, and those of OpenSSH's certificates.

/// Behind the type of a certificate's key.
pub(crate) const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// Bytes that have not been read yet.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// A number of four bytes; `None` if they are not there.
    pub(crate) fn int(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A number of eight bytes.
    pub(crate) fn long(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    /// Bytes with their number before them.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.int()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// What stands in a certificate (OpenSSH's PROTOCOL.certkeys). Nothing of it is believed here.
#[derive(Debug)]
pub(crate) struct CertificateFields<'a> {
    /// The type of the key, without the certificate's.
    pub kind: &'a str,
    /// The key's own fields.
    pub key: &'a [u8],
    /// For whom it is: 1 for users, 2 for hosts.
    pub of: u32,
    /// What the authority calls it.
    pub id: &'a [u8],
    /// The names that it is for.
    pub principals: Vec<&'a [u8]>,
    /// Seconds since 1970.
    pub valid_after: u64,
    /// Seconds since 1970; not at this one any more.
    pub valid_before: u64,
    pub critical_options: &'a [u8],
    /// The key of the authority, as SSH writes keys.
    pub authority: &'a [u8],
    /// What the signature is of.
    pub signed: &'a [u8],
    pub signature: &'a [u8],
}

impl<'a> CertificateFields<'a> {
    /// Reads all of the bytes; `None` if they are no certificate of a known type.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Fields(bytes);
        let kind = std::str::from_utf8(rest.string()?).ok()?.strip_suffix(CERTIFICATE)?;
        let _nonce = rest.string()?;
        let before_key = rest.0;
        for _field in 0..fields_of_key(kind)? {
            rest.string()?;
        }
        let key = before_key.get(..before_key.len() - rest.0.len())?;
        let (_serial, of, id) = (rest.long()?, rest.int()?, rest.string()?);
        let mut names = Fields(rest.string()?);
        let mut principals = Vec::new();
        while !names.0.is_empty() {
            principals.push(names.string()?);
        }
        let (valid_after, valid_before) = (rest.long()?, rest.long()?);
        let (critical_options, _extensions) = (rest.string()?, rest.string()?);
        let (_reserved, authority) = (rest.string()?, rest.string()?);
        let signed = bytes.get(..bytes.len() - rest.0.len())?;
        let signature = rest.string()?;
        rest.0.is_empty().then_some(Self {
            kind,
            key,
            of,
            id,
            principals,
            valid_after,
            valid_before,
            critical_options,
            authority,
            signed,
            signature,
        })
    }
}

/// How many fields a public key of this type has; `None` of others than those that are taken.
pub(crate) fn fields_of_key(kind: &str) -> Option<usize> {
    match kind {
        "ssh-ed25519" => Some(1),
        "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            Some(2)
        }
        _ => None,
    }
}
