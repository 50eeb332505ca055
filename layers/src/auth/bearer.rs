use http::{HeaderMap, header::AUTHORIZATION};

use super::Denied;

/// The token of a request's `Authorization: Bearer <token>` header, for your own verifiers.
///
/// The scheme is case-insensitive, and any number of spaces may surround the token.
///
/// ```
/// use agent_webkit_layers::auth::{Denied, bearer};
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(bearer(&headers), Err(Denied::Missing));
/// headers.insert("authorization", "bearer s3cret".parse()?);
/// assert_eq!(bearer(&headers), Ok("s3cret"));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
///
/// # Errors
/// [`Denied::Missing`] if there is no such header. [`Denied::Invalid`] if there are several, or if it has another
/// scheme or anything but one word of ASCII after the scheme.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() {
        return Err(Denied::Invalid);
    }
    let mut words = value.to_str().map_err(|_| Denied::Invalid)?.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Denied::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, Denied> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn the_token_is_found_in_every_spelling() {
        for value in ["Bearer t0k", "bearer t0k", "BEARER t0k", "Bearer   t0k", " Bearer\tt0k  "] {
            assert_eq!(read(&[value.as_bytes()]), Ok("t0k".to_owned()), "{value:?}");
        }
        assert_eq!(read(&[b"Bearer a.b-c_d~e+f/g=="]), Ok("a.b-c_d~e+f/g==".to_owned()));
    }

    #[test]
    fn no_header_is_missing_and_any_other_is_invalid() {
        assert_eq!(read(&[]), Err(Denied::Missing));
        let malformed: [&[u8]; 9] = [
            b"",
            b"Bearer",
            b"Bearer ",
            b"t0k",
            b"Basic dTpw",
            b"Bearert0k",
            b"Bearer t0k t0k",
            b"Bearer t\xffk",
            b"Bearer: t0k",
        ];
        for value in malformed {
            assert_eq!(read(&[value]), Err(Denied::Invalid), "{:?}", value.escape_ascii().to_string());
        }
        assert_eq!(read(&[b"Bearer t0k", b"Bearer t0k"]), Err(Denied::Invalid));
    }
}
