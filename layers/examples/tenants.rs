//! A gateway for tenants: the caller's JSON Web Token names a tenant, the path names one, and a request is relayed to the
//! tenant's upstream if it is the caller's own.

use std::{collections::HashMap, env, error::Error, future::ready, time::Duration};

use agent_webkit_layers::{
    auth::{
        AuthLayer,
        jwt::{Algorithm, Jwt, JwtError, Keys},
    },
    lookup::{LookupLayer, Resolved, cache::CacheLayer, ids, resolve_fn},
    relay::RelayLayer,
    reply::Problems,
};
use axum::{Router, body::Body, http::Uri, http::request::Parts};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceBuilder};

/// The tenant of a token, which is the principal.
#[derive(Clone)]
struct Tenant(String);

/// The gateway for the tenants with these upstreams, and for tokens that are signed with this secret.
pub(crate) fn app(secret: &str, upstreams: HashMap<String, Uri>) -> Result<Router, JwtError> {
    let jwt = Jwt::builder(Keys::secret(secret)?)
        .algorithms([Algorithm::Hs256])
        .issuer("https://id.example.com/")
        .audience("gateway")
        .build_with(|claims| Some(Tenant(claims.get("tenant")?.as_str()?.to_owned())))?;
    let caller = |request: &Parts| request.extensions.get::<Tenant>().map(|tenant| tenant.0.clone());
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
    let gateway = ServiceBuilder::new()
        .layer(AuthLayer::new(jwt).render(Problems))
        .layer(LookupLayer::new(ids::path("/{tenant}/*"), cache.layer(find)).render(Problems))
        .layer(RelayLayer::new(client, upstream))
        .service(Router::new());
    Ok(Router::new().fallback_service(gateway))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstreams = HashMap::from([("acme".to_owned(), env::var("ACME")?.parse()?)]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    Ok(axum::serve(listener, app(&env::var("SECRET")?, upstreams)?).await?)
}
