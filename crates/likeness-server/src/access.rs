//! Who may do what.

use crate::refusal::refuse;
use crate::settings::{Role, SettingsError, Token};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::{Code, Status};

/// The tokens that are known.
pub(crate) struct Access {
    tokens: Vec<(blake3::Hash, String, Role)>,
}

impl Access {
    /// # Errors
    /// A hash that is none, or that two tokens have.
    pub(crate) fn new(tokens: &[Token]) -> Result<Access, SettingsError> {
        let mut known: Vec<(blake3::Hash, String, Role)> = Vec::new();
        for token in tokens {
            let wrong = |reason| SettingsError::Invalid {
                origin: format!("tokens, {:?}", token.name),
                reason,
            };
            let hash = blake3::Hash::from_hex(&token.hash)
                .map_err(|error| wrong(format!("hash: {error}; make it with --hash-token")))?;
            if let Some((_, other, _)) = known.iter().find(|(known, ..)| *known == hash) {
                return Err(wrong(format!("hash: the same as of {other:?}")));
            }
            known.push((hash, token.name.clone(), token.role));
        }
        Ok(Access { tokens: known })
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether a text is a token, whoever sends it, which no log should show.
    pub(crate) fn knows(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// The caller's name, if a request to `path` may be served.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a known token, PERMISSION_DENIED for one of too small a role.
    pub(crate) fn admit(&self, path: &str, headers: &HeaderMap) -> Result<String, Status> {
        let Some(needed) = role_for(path).filter(|_| !self.is_open()) else {
            return Ok("anyone".to_owned());
        };
        let token = bearer(headers).ok_or_else(|| {
            let message = "this call needs the metadata `authorization: Bearer TOKEN`";
            refuse(Code::Unauthenticated, "no_token", message)
        })?;
        let (name, role) = self.find(token).ok_or_else(|| {
            refuse(
                Code::Unauthenticated,
                "unknown_token",
                "this token is not known",
            )
        })?;
        if role < needed {
            let message = format!("{name:?} may not do this: it needs the role \"write\"");
            return Err(refuse(Code::PermissionDenied, "role", message));
        }
        Ok(name.to_owned())
    }

    /// Looks at all tokens, in a time that tells nothing of them: hashes are compared, and
    /// `blake3::Hash` compares in constant time.
    fn find(&self, token: &str) -> Option<(&str, Role)> {
        let hash = blake3::hash(token.as_bytes());
        let mut found = None;
        for (known, name, role) in &self.tokens {
            if *known == hash {
                found = Some((name.as_str(), *role));
            }
        }
        found
    }
}

/// Whether a call asks for the health, which load balancers do.
pub(crate) fn is_health(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/")
}

/// The role that a call needs; none for health. What is not known to change nothing needs the
/// larger one.
fn role_for(path: &str) -> Option<Role> {
    const READING: [&str; 3] = ["Get", "List", "GetStats"];
    if is_health(path) {
        return None;
    }
    let references = path.strip_prefix("/likeness.v1.ReferenceService/");
    let reads = path.starts_with("/likeness.v1.MatchService/")
        || path.starts_with("/grpc.reflection.")
        || references.is_some_and(|call| READING.contains(&call));
    Some(if reads { Role::Read } else { Role::Write })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn token(name: &str, role: Role) -> Token {
        Token {
            name: name.to_owned(),
            role,
            hash: blake3::hash(name.as_bytes()).to_hex().to_string(),
        }
    }

    #[test]
    fn roles_open_calls() {
        let tokens = [token("reader", Role::Read), token("writer", Role::Write)];
        let access = Access::new(&tokens).unwrap();
        let check = |authorization: Option<&str>, call: &str, want: Result<&str, Code>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            let got = access.admit(call, &headers).map_err(|status| status.code());
            assert_eq!(
                got.as_deref(),
                want.as_ref().copied(),
                "{authorization:?} {call}"
            );
        };
        let (list, add) = (
            "/likeness.v1.ReferenceService/List",
            "/likeness.v1.ReferenceService/Add",
        );
        check(Some("Bearer reader"), list, Ok("reader"));
        check(Some("bearer writer"), list, Ok("writer"));
        check(Some("Bearer writer"), add, Ok("writer"));
        check(Some("Bearer reader"), add, Err(Code::PermissionDenied));
        check(Some("Bearer reade"), list, Err(Code::Unauthenticated));
        check(Some("Basic reader"), list, Err(Code::Unauthenticated));
        check(Some("Bearer"), list, Err(Code::Unauthenticated));
        check(Some("Bearer "), list, Err(Code::Unauthenticated));
        check(None, "/unheard/Of", Err(Code::Unauthenticated));
        let (remove, other) = ("/likeness.v1.ReferenceService/Remove", "/unheard/Of");
        check(Some("Bearer reader"), remove, Err(Code::PermissionDenied));
        check(Some("Bearer reader"), other, Err(Code::PermissionDenied));
        check(
            Some("Bearer reader"),
            "/likeness.v1.ReferenceService/List/../Add",
            Err(Code::PermissionDenied),
        );
        check(None, "/grpc.health.v1.Health/Check", Ok("anyone"));
    }

    #[test]
    fn every_call_has_a_role() {
        let files = prost_types::FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let mut writing = Vec::new();
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    let path = format!("/{package}.{service}/{}", method.name());
                    if role_for(&path) == Some(Role::Write) {
                        writing.push(method.name());
                    }
                }
            }
        }
        assert_eq!(writing, ["Add", "Remove"]);
    }

    #[test]
    fn without_tokens_all_is_open() {
        let access = Access::new(&[]).unwrap();
        let path = "/likeness.v1.ReferenceService/Add";
        assert!(access.admit(path, &HeaderMap::new()).is_ok());
    }

    #[test]
    fn a_hash_must_be_one() {
        let mut bad = token("x", Role::Read);
        bad.hash.pop();
        assert!(Access::new(&[bad]).is_err());
    }
}
