//! The options for JSON Web Tokens, and the verifier that they configure.

use std::{fs, path::PathBuf, time::Duration};

use super::{SettingsError, jwks_url, units};
use crate::layers::auth::jwt::{Algorithm, JwksFile, Jwt, JwtBuilder, JwtError, Keys};

/// Prefix of names from JSON Web Tokens, so that no issuer can assign the name of a static token.
const PREFIX: &str = "jwt:";

/// The JSON Web Tokens to accept: those signed by the key of `jwks`, `public_key` or `secret_file`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "JSON Web Tokens")]
#[non_exhaustive]
pub struct JwtSettings {
    /// Accept tokens that are signed with a key in this key set (JWKS) of the issuer: an https URL, or a file. It is
    /// read again when it is ten minutes old, and when a token names a key that is not in it.
    #[arg(long = "jwt-jwks", value_name = "URL|PATH", env = "AGENT_WEBKIT_JWT_JWKS")]
    pub jwks: Option<String>,

    /// File with the issuer's public keys in PEM, instead of a key set.
    #[arg(long = "jwt-public-key", value_name = "PATH", env = "AGENT_WEBKIT_JWT_PUBLIC_KEY")]
    pub public_key: Option<PathBuf>,

    /// File with a secret of 32 bytes or more, shared with the issuer, for HS256, HS384 and HS512; instead of a key
    /// set.
    #[arg(long = "jwt-secret-file", value_name = "PATH", env = "AGENT_WEBKIT_JWT_SECRET_FILE")]
    pub secret_file: Option<PathBuf>,

    /// Allowed signature algorithms, separated by commas. Default: RS256, ES256 and EdDSA; with a secret, HS256.
    #[arg(
        long = "jwt-algorithms",
        value_name = "NAMES",
        env = "AGENT_WEBKIT_JWT_ALGORITHMS",
        value_delimiter = ','
    )]
    pub algorithms: Vec<Algorithm>,

    /// Issuer (claim iss) that tokens must have; repeat it for a second one. Required with a key.
    #[arg(long = "jwt-issuer", value_name = "ISS", env = "AGENT_WEBKIT_JWT_ISSUER", value_delimiter = ',')]
    pub issuers: Vec<String>,

    /// Audience (claim aud) that tokens must have; repeat it for a second one. Required with a key.
    #[arg(
        long = "jwt-audience",
        value_name = "AUD",
        env = "AGENT_WEBKIT_JWT_AUDIENCE",
        value_delimiter = ','
    )]
    pub audiences: Vec<String>,

    /// Claim with the caller's name, to whom the sessions belong. Users must not be able to choose its value.
    #[arg(
        long = "jwt-name-claim",
        value_name = "CLAIM",
        env = "AGENT_WEBKIT_JWT_NAME_CLAIM",
        default_value = "sub"
    )]
    pub name_claim: String,

    /// Claim with the scopes, which are read, drive and approve. Default: scope, or else scp. A token without this
    /// claim has all scopes.
    #[arg(long = "jwt-scope-claim", value_name = "CLAIM", env = "AGENT_WEBKIT_JWT_SCOPE_CLAIM")]
    pub scope_claim: Option<String>,

    /// Allowed difference between the issuer's clock and this server's.
    #[arg(long = "jwt-leeway", value_name = "TIME", env = "AGENT_WEBKIT_JWT_LEEWAY", default_value = "60s", value_parser = units::duration)]
    pub leeway: Duration,
}

impl JwtSettings {
    /// The verifier, if keys are configured.
    pub(super) fn verifier(&self) -> Result<Option<Jwt>, SettingsError> {
        let Some(keys) = self.keys()? else {
            let useless =
                !self.issuers.is_empty() || !self.audiences.is_empty() || !self.algorithms.is_empty();
            return if useless {
                Err(SettingsError::new("--jwt-jwks, --jwt-public-key or --jwt-secret-file is missing"))
            } else {
                Ok(None)
            };
        };
        let builder = Jwt::builder(keys)
            .algorithms(self.algorithms())
            .leeway(self.leeway)
            .name_claim(&self.name_claim)
            .name_prefix(PREFIX);
        let builder = self.issuers.iter().fold(builder, JwtBuilder::issuer);
        let builder = self.audiences.iter().fold(builder, JwtBuilder::audience);
        let builder = match &self.scope_claim {
            Some(claim) => builder.scope_claim(claim),
            None => builder,
        };
        builder.build().map(Some).map_err(|error| {
            SettingsError::new(match error {
                JwtError::NoIssuer => "--jwt-issuer is missing".to_owned(),
                JwtError::NoAudience => "--jwt-audience is missing".to_owned(),
                _ => format!("the --jwt options: {error}"),
            })
        })
    }

    fn keys(&self) -> Result<Option<Keys>, SettingsError> {
        let read = |path: &PathBuf| {
            let unreadable = |error| SettingsError::new(format!("{}: {error}", path.display()));
            fs::read(path).map_err(unreadable)
        };
        let keys = match (&self.jwks, &self.public_key, &self.secret_file) {
            (None, None, None) => return Ok(None),
            (Some(url), None, None) if url.contains("://") => return jwks_url::keys(url).map(Some),
            (Some(path), None, None) => return Ok(Some(Keys::jwks(JwksFile::new(path)))),
            (None, Some(path), None) => Keys::public_pem(read(path)?),
            // Editors add a line break at the end of a file.
            (None, None, Some(path)) => Keys::secret(read(path)?.trim_ascii_end()),
            _ => {
                return Err(SettingsError::new(
                    "--jwt-jwks, --jwt-public-key and --jwt-secret-file exclude each other",
                ));
            }
        };
        keys.map(Some).map_err(|error| SettingsError::new(format!("the --jwt options: {error}")))
    }

    fn algorithms(&self) -> Vec<Algorithm> {
        if !self.algorithms.is_empty() {
            self.algorithms.clone()
        } else if self.secret_file.is_some() {
            vec![Algorithm::Hs256]
        } else {
            vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::parse;

    const ISSUED: [&str; 4] = ["--jwt-issuer", "https://id.example.com/", "--jwt-audience", "agents"];

    fn refusal(args: &[&str]) -> Option<String> {
        let settings = match parse(args, &[]) {
            Ok(settings) => settings,
            Err(error) => return Some(error.to_string()),
        };
        settings.credentials().err().map(|error| error.to_string())
    }

    #[test]
    fn keys_an_issuer_and_an_audience_make_a_verifier() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "a secret of at least 32 characters\n").unwrap();
        let secret = secret.path().to_str().unwrap();
        for keys in [
            ["--jwt-secret-file", secret],
            ["--jwt-jwks", "/may/come/later.json"],
            ["--jwt-jwks", "https://id.example.com/keys"],
            ["--jwt-jwks", "http://127.0.0.1:1/keys"],
        ] {
            assert_eq!(refusal(&[&keys[..], &ISSUED].concat()), None, "{keys:?}");
            for (missing, given) in [("--jwt-audience", &ISSUED[..2]), ("--jwt-issuer", &ISSUED[2..])] {
                let refusal = refusal(&[&keys[..], given].concat()).unwrap();
                assert!(refusal.contains(missing), "{refusal}");
            }
            let both = [&keys[..], &ISSUED, &["--no-auth"]].concat();
            assert!(refusal(&both).unwrap().contains("exclude"));
        }
    }

    #[test]
    fn options_that_cannot_be_safe_are_refused() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "short\n").unwrap();
        let secret = secret.path().to_str().unwrap();
        for wrong in [
            &["--jwt-secret-file", secret][..],
            &["--jwt-secret-file", "/no/such/file"],
            &["--jwt-public-key", secret],
            &["--jwt-jwks", "http://id.example.com/keys"],
            &["--jwt-jwks", "ftp://id.example.com/keys"],
            &["--jwt-jwks", "/k", "--jwt-public-key", "/k"],
            &["--jwt-jwks", "/k", "--jwt-algorithms", "none"],
            &["--jwt-jwks", "/k", "--jwt-algorithms", "RS256,HS256"],
            &["--jwt-algorithms", "RS256"],
            &[],
        ] {
            assert!(refusal(&[wrong, &ISSUED].concat()).is_some(), "{wrong:?}");
        }
    }
}
