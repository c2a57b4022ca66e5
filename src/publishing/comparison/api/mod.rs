//! `/v1/models/{id}/preview` and `/v1/models/compare`.

mod changes;
mod compare;
mod preview;

use axum::extract::FromRef;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::CompareError;
use crate::{
    http::{problem::Problem, said::mistake},
    keys::auth::RouterState,
    publishing::Publishing,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Publishing: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(preview::preview_model)).routes(routes!(compare::compare_models))
}

impl From<CompareError> for Problem {
    fn from(error: CompareError) -> Problem {
        match error {
            CompareError::UnknownVersion => Problem::not_found("version of a model"),
            CompareError::Database(error) => error.into(),
        }
    }
}

/// The problem of a body with a value out of range.
fn refuse(pointer: &str, message: &str) -> Problem {
    mistake(pointer, "out_of_range", message)
}
