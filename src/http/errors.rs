//! What every error code means: where the links of answers lead. Made of the one table in `codes`.

use actix_web::web::{Json, Path};

use super::error::ApiError;
use crate::wire::errors::{ErrorEntry, ErrorsResponse};

/// Lists every error code with its cause and its cure.
///
/// The same as `docs/errors.md`. Needs no API key, as the documents do not.
#[utoipa::path(
    get,
    path = "/api/v1/errors",
    tag = "What is supported",
    operation_id = "errors",
    responses((status = 200, description = "Every error code", body = ErrorsResponse))
)]
pub(super) async fn list() -> Json<ErrorsResponse> {
    Json(ErrorsResponse::all())
}

/// Says what an error code means and what to do.
///
/// `error_link` of devices and commands and `link` of refused requests lead here.
#[utoipa::path(
    get,
    path = "/api/v1/errors/{code}",
    tag = "What is supported",
    operation_id = "error",
    params(("code" = String, Path, example = "auth_rejected", description = "An `error_code`, or the `code` of a refusal")),
    responses((status = 200, description = "Cause, cure and an example", body = ErrorEntry))
)]
pub(super) async fn one(code: Path<String>) -> Result<Json<ErrorEntry>, ApiError> {
    ErrorEntry::find(&code).map(Json).ok_or(ApiError::NoSuchCode)
}
