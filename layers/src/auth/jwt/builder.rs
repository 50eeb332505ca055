use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use jsonwebtoken::{Validation, crypto::rust_crypto};
use serde_json::{Map, Value};

use super::{
    Algorithm, Jwt, JwtError, Keys,
    cache::Cache,
    claims::Reading,
    keys::Origin,
    verifier::{Held, Read, Rules},
};

/// Maximum allowed difference between clocks.
const MOST_LEEWAY: Duration = Duration::from_secs(3600);

/// Builds a [`Jwt`]: which tokens it accepts. Algorithms, issuer and audience have no default.
#[derive(Clone)]
pub struct JwtBuilder {
    keys: Keys,
    algorithms: Vec<Algorithm>,
    issuers: Trusted,
    audiences: Trusted,
    reading: Reading,
    max_size: usize,
    max_age: Duration,
    refresh_interval: Duration,
}

/// The values that a claim may have.
#[derive(Clone, Debug)]
enum Trusted {
    These(HashSet<String>),
    Any,
}

impl Jwt {
    /// Starts with the keys; [`JwtBuilder`] adds everything else.
    #[must_use]
    pub fn builder(keys: Keys) -> JwtBuilder {
        JwtBuilder::new(keys)
    }
}

impl JwtBuilder {
    fn new(keys: Keys) -> Self {
        Self {
            keys,
            algorithms: Vec::new(),
            issuers: Trusted::These(HashSet::new()),
            audiences: Trusted::These(HashSet::new()),
            reading: Reading {
                name_claim: "sub".to_owned(),
                name_prefix: String::new(),
                scope_claims: vec!["scope".to_owned(), "scp".to_owned()],
                leeway: Duration::from_secs(60),
            },
            max_size: 16 * 1024,
            max_age: Duration::from_secs(600),
            refresh_interval: Duration::from_secs(30),
        }
    }

    /// Sets the allowed algorithms.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts tokens with this `iss`; call it again for further issuers.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.add(issuer.into());
        self
    }

    /// Accepts any `iss`: every token that is signed with the key is trusted.
    #[must_use]
    pub fn any_issuer(mut self) -> Self {
        self.issuers = Trusted::Any;
        self
    }

    /// Accepts tokens with this value among their `aud`; call it again for further audiences.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.add(audience.into());
        self
    }

    /// Accepts any `aud`: tokens for other services are accepted as well.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.audiences = Trusted::Any;
        self
    }

    /// Sets the allowed difference between the issuer's clock and ours. Default one minute, maximum one hour.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.reading.leeway = Duration::from_secs(leeway.min(MOST_LEEWAY).as_secs());
        self
    }

    /// Sets the claim that becomes the principal's name. Default `sub`. It must be a claim that users cannot choose.
    #[must_use]
    pub fn name_claim(mut self, claim: impl Into<String>) -> Self {
        self.reading.name_claim = claim.into();
        self
    }

    /// Sets a prefix for every name, so that no name equals one from another verifier.
    #[must_use]
    pub fn name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.reading.name_prefix = prefix.into();
        self
    }

    /// Sets the claim with the scopes. Default `scope`, or else `scp`.
    #[must_use]
    pub fn scope_claim(mut self, claim: impl Into<String>) -> Self {
        self.reading.scope_claims = vec![claim.into()];
        self
    }

    /// Sets the maximum length of a token, in bytes. Default 16 KiB.
    #[must_use]
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// Sets the age at which a key set is read again. Default ten minutes.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets the minimum time between two reads of the key set, whatever keys tokens name. Default 30 s.
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.refresh_interval = interval;
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    /// A required setting is missing, or the settings are not safe.
    pub fn build(self) -> Result<Jwt, JwtError> {
        let reading = self.reading.clone();
        self.build_by(Box::new(move |claims| reading.principal(claims)))
    }

    /// Builds a verifier with principals of another type, which `read` makes from the claims of a valid token. A token for
    /// which it returns `None` is not valid. The settings of names and scopes do not count.
    ///
    /// ```
    /// use agent_webkit_layers::auth::jwt::{Algorithm, Jwt, JwtError, JwksFile, Keys};
    ///
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// # fn jwt() -> Result<Jwt<Tenant>, JwtError> {
    /// Jwt::builder(Keys::jwks(JwksFile::new("/etc/keys.json")))
    ///     .algorithms([Algorithm::Es256])
    ///     .issuer("https://id.example.com/")
    ///     .audience("gateway")
    ///     .build_with(|claims| Some(Tenant(claims.get("tenant")?.as_str()?.to_owned())))
    /// # }
    /// # jwt()?;
    /// # Ok::<(), JwtError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub fn build_with<P>(
        self,
        read: impl Fn(&Map<String, Value>) -> Option<P> + Send + Sync + 'static,
    ) -> Result<Jwt<P>, JwtError> {
        self.build_by(Box::new(read))
    }

    fn build_by<P>(self, read: Read<P>) -> Result<Jwt<P>, JwtError> {
        let Some(first) = self.algorithms.first() else { return Err(JwtError::NoAlgorithm) };
        if self.algorithms.iter().any(|algorithm| algorithm.is_secret() != first.is_secret()) {
            return Err(JwtError::MixedAlgorithms);
        }
        let validation = self.validation()?;
        let keys = match self.keys.0 {
            Origin::Source(source) => {
                Held::Cached(Arc::new(Cache::new(source, self.max_age, self.refresh_interval)))
            }
            Origin::Fixed(keys) if self.algorithms.iter().any(|algorithm| keys.has_one_for(*algorithm)) => {
                Held::Fixed(keys)
            }
            Origin::Fixed(_) => return Err(JwtError::NoKey),
        };
        // `jsonwebtoken` panics if no crypto provider is chosen and several are compiled in, so choose one here. The
        // error means that another crate has chosen one already.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
        let Self { algorithms, reading, max_size, .. } = self;
        Ok(Jwt(Arc::new(Rules { keys, algorithms, validation, leeway: reading.leeway, read, max_size })))
    }

    fn validation(&self) -> Result<Validation, JwtError> {
        let mut validation = Validation::default();
        validation.leeway = self.reading.leeway.as_secs();
        validation.validate_nbf = true;
        validation.iss = self.issuers.required(JwtError::NoIssuer)?;
        validation.aud = self.audiences.required(JwtError::NoAudience)?;
        validation.validate_aud = validation.aud.is_some();
        let given = [("iss", &validation.iss), ("aud", &validation.aud)];
        let required = given.into_iter().filter(|(_, wanted)| wanted.is_some()).map(|(claim, _)| claim);
        validation.required_spec_claims = required.chain(["exp"]).map(str::to_owned).collect();
        Ok(validation)
    }
}

impl Trusted {
    fn add(&mut self, value: String) {
        match self {
            Self::These(values) => {
                values.insert(value);
            }
            Self::Any => *self = Self::These(HashSet::from([value])),
        }
    }

    fn required(&self, none: JwtError) -> Result<Option<HashSet<String>>, JwtError> {
        match self {
            Self::Any => Ok(None),
            Self::These(values) if values.is_empty() => Err(none),
            Self::These(values) => Ok(Some(values.clone())),
        }
    }
}

impl fmt::Debug for JwtBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtBuilder")
            .field("algorithms", &self.algorithms)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
