//! A gateway for tenants: the caller's JSON Web Token names a tenant, the path names one, and a request is relayed to the
//! tenant's upstream if it is the caller's own.

use std::{collections::HashMap, env, error::Error, future::ready, time::Duration};

use agent_webkit_layers::{
    auth::{AuthLayer, Denied, bearer, verify_fn},
    lookup::{LookupLayer, Resolved, cache::CacheLayer, ids, resolve_fn},
    relay::RelayLayer,
    reply::Problems,
};
use axum::{Router, body::Body, http::Uri, http::request::Parts};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jsonwebtoken::{DecodingKey, Validation, decode};
use tower::{Layer, ServiceBuilder};

/// The claims of a token. They are the principal.
#[derive(Clone, serde::Deserialize)]
struct Claims {
    tenant: String,
}

/// The gateway for the tenants with these upstreams, and for tokens that are signed with this secret.
pub(crate) fn app(secret: &str, upstreams: HashMap<String, Uri>) -> Router {
    let key = DecodingKey::from_secret(secret.as_bytes());
    let claims = move |request: &Parts| {
        let decoded = decode::<Claims>(bearer(&request.headers)?, &key, &Validation::default());
        decoded.map(|token| token.claims).map_err(|_| Denied::Invalid)
    };
    let caller = |request: &Parts| request.extensions.get().map(|claims: &Claims| claims.tenant.clone());
    // For a caller, the tenants of others do not exist.
    let find = resolve_fn(move |tenant: &str, request: &Parts| {
        let own = caller(request).is_some_and(|own| own == tenant);
        ready(Ok(upstreams.get(tenant).filter(|_| own).cloned()))
    });
    let cache = CacheLayer::by(Duration::from_secs(60), move |tenant: &str, request: &Parts| {
        format!("{:?} {tenant}", caller(request))
    });
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let upstream = |request: &Parts| request.extensions.get::<Resolved<Uri>>().map(|found| found.0.clone());
    Router::new().fallback_service(
        ServiceBuilder::new()
            .layer(AuthLayer::new(verify_fn(move |request: &Parts| ready(claims(request)))).render(Problems))
            .layer(LookupLayer::new(ids::path("/{tenant}/*"), cache.layer(find)).render(Problems))
            .layer(RelayLayer::new(client, upstream))
            .service(Router::new()),
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstreams = HashMap::from([("acme".to_owned(), env::var("ACME")?.parse()?)]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    Ok(axum::serve(listener, app(&env::var("SECRET")?, upstreams)).await?)
}
