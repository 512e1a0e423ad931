//! Errors as gRPC statuses: a code, a sentence, and details for programs.

use crate::worker::Failure;
use likeness::core::wire::WireError;
use likeness::{AddError, LibraryError};
use std::collections::HashMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Who names the reasons in `ErrorInfo`.
const DOMAIN: &str = "likeness";

/// Bytes of a message, which repeats names that callers chose: clients refuse long trailers, and then
/// do not see the code.
const LONGEST: usize = 500;

/// A status with a stable word in `ErrorInfo`.
pub(crate) fn refuse(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let mut message = message.into();
    if message.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|&i| message.is_char_boundary(i));
        message.truncate(cut.unwrap_or_default());
        message.push_str("...");
    }
    let details = ErrorDetails::with_error_info(reason.to_uppercase(), DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// The caller is to try again after `delay`.
pub(crate) fn busy(what: &str, delay: Duration) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(delay));
    details.set_error_info("BUSY", DOMAIN, HashMap::new());
    let message = format!("{what}, try again later");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// What the library that reads messages says of one, in this service's words: one that is too large is
/// OUT_OF_RANGE to it. Other statuses are as they are. No delay is told: waiting does not help.
pub(crate) fn of_message(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange if status.details().is_empty() => {
            let message = status.message();
            refuse(Code::ResourceExhausted, "message_too_large", message)
        }
        _ => status,
    }
}

/// A call that is not as `proto/` says.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    refuse(Code::InvalidArgument, "invalid_request", message)
}

/// A fault of the service, told to its operator and not to the caller.
pub(crate) fn internal(error: impl std::fmt::Display) -> Status {
    tracing::error!("{error}");
    refuse(
        Code::Internal,
        "internal",
        "a fault of the service, see its log",
    )
}

/// A fingerprint that cannot be read.
pub(crate) fn bad_fingerprint(error: &WireError) -> Status {
    let reason = match error {
        WireError::NewerVersion { .. } => "newer_version",
        WireError::OtherExtractor(_) => "other_extractor",
        _ => "damaged",
    };
    refuse(Code::InvalidArgument, reason, error.to_string())
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        let message = failure.to_string();
        match failure {
            Failure::File { code, .. } if code == "internal" => {
                refuse(Code::Internal, "decoder_crashed", message)
            }
            Failure::File { code, .. } => refuse(Code::InvalidArgument, &code, message),
            Failure::TooCostly(_) => refuse(Code::InvalidArgument, "limit", message),
            Failure::Crashed(_) => refuse(Code::Internal, "decoder_crashed", message),
            Failure::NoWorker(error) => internal(error),
        }
    }
}

/// Why a library could not serve.
pub(crate) fn library(error: &LibraryError, retry: Duration) -> Status {
    match error {
        LibraryError::Locked { .. } => busy("another process is writing to the library", retry),
        error => internal(error),
    }
}

/// Why a reference could not be added. Paths are the service's own business.
pub(crate) fn add(error: &AddError, identifier: &str) -> Status {
    let (reason, message) = match error {
        AddError::Nothing { audio, video, .. } => (
            "nothing_to_find",
            format!("{identifier}: nothing to find it by: sound {audio}, picture {video}"),
        ),
        AddError::Fingerprint(error) => (error.code(), format!("{identifier}: not usable")),
        error => {
            tracing::warn!("{error}");
            ("not_added", format!("{identifier}: not added"))
        }
    };
    refuse(Code::InvalidArgument, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let check = |name: &str, most: usize| {
            let status = refuse(Code::NotFound, "unknown", format!("no {name}"));
            assert!(status.message().len() <= most, "{}", status.message().len());
            assert!(status.message().starts_with("no "));
        };
        check("x", 4);
        check(&"x".repeat(5000), LONGEST + 3);
        check(&"\u{1f600}".repeat(1024), LONGEST + 3);
    }
}
