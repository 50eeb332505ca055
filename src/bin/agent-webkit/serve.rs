//! Runs the server: bind, serve, drain.

use std::{io::Write, net::SocketAddr};

use agent_webkit::{
    console::ConsoleLayer,
    layers::{drain::DrainLayer, host::AllowHostLayer, reply::Refusal},
    settings::{Launched, Settings},
};
use http::StatusCode;
use http_body_util::Either;
use tokio::net::{TcpListener, lookup_host};
use tower::{Layer, ServiceBuilder};
use tower_http::csrf::CsrfLayer;

use crate::{
    Failure, connections::Connections, drain, foreign_pages::ForeignPages, health, metrics::Metrics,
    reload::Reloading,
};

/// Serves until SIGTERM or SIGINT, then shuts down gracefully.
pub(crate) async fn serve(settings: Settings) -> Result<(), Failure> {
    let settings = settings.completed()?;
    let addresses = resolve(&settings).await?;
    settings.check_exposure(addresses.iter().map(SocketAddr::ip))?;
    // Metrics bind to the recorder that is installed when they are created, so this comes first.
    let metrics = Metrics::install(settings.http.metrics);
    let Launched { stack, store, verifier, files, model } = settings.launch().await?;
    let (listener, address) = bind(&addresses).await?;

    let sessions = stack.sessions().clone();
    let foreign = ForeignPages::new(settings.http.origins());
    let stack = ServiceBuilder::new()
        .map_request(move |request: http::Request<_>| foreign.notice(request))
        .layer(csrf(&settings))
        .map_response(|response: http::Response<_>| response.map(Either::Right))
        .layer(allowed_hosts(&settings, address))
        // Outside of authentication: the page asks for the token.
        .layer(ConsoleLayer::new().enabled(!settings.http.no_console))
        .layer(metrics.layer(verifier))
        .service(stack);
    let draining = drain::Draining::listen().map_err(|error| Failure::Io(error.to_string()))?;
    let reloading = Reloading::listen(files).map_err(|error| Failure::Io(error.to_string()))?;
    // Around everything that answers by itself, also outside of the stack.
    let service = DrainLayer::new().layer(health::Probed::new(stack, draining.flag(), store.clone()));
    let connections = Connections::accept(listener, service);
    announce(address);

    tokio::select! {
        () = draining.wait() => {}
        () = reloading.run() => {}
        () = metrics.upkeep() => {}
    }
    drain::drain(&sessions, &store, connections).await;
    drop(model);
    Ok(())
}

async fn resolve(settings: &Settings) -> Result<Vec<SocketAddr>, Failure> {
    let host = settings.host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((host, settings.port)).await.map(Iterator::collect::<Vec<_>>);
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(Failure::Io(format!("{host} has no address"))),
        Err(error) => Err(Failure::Io(format!("{host} has no address: {error}"))),
    }
}

async fn bind(addresses: &[SocketAddr]) -> Result<(TcpListener, SocketAddr), Failure> {
    let bind = async {
        let listener = TcpListener::bind(addresses).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind.await
        .map_err(|error: std::io::Error| Failure::Io(format!("cannot listen on {}: {error}", addresses[0])))
}

/// On loopback, restricts the `Host` header to the server's own names, against DNS rebinding.
fn allowed_hosts(settings: &Settings, address: SocketAddr) -> AllowHostLayer {
    if !address.ip().is_loopback() {
        return AllowHostLayer::any();
    }
    let public_host = settings.webhooks.public_host();
    let names = settings.allow_hosts.iter().chain([&settings.host]).chain(&public_host);
    names.fold(AllowHostLayer::loopback(), AllowHostLayer::allow)
}

/// Rejects cross-origin requests when there is no authentication: without it, any web page could start
/// agents through a browser on this machine.
fn csrf<B>(
    settings: &Settings,
) -> CsrfLayer<impl tower_http::csrf::ResponseForProtectionError<Either<health::Small, B>> + use<B>> {
    let no_auth = settings.no_auth;
    let trusted = settings.http.origins();
    let layer =
        trusted.iter().filter_map(|origin| origin.to_str().ok()).fold(CsrfLayer::new(), |layer, origin| {
            layer.add_trusted_origin(origin).expect("the settings have checked that it is an origin")
        });
    layer.with_insecure_bypass(move |_, _| !no_auth).with_rejection_response(|_| {
        let refusal = "this request comes from a page of another origin";
        Refusal::new(StatusCode::FORBIDDEN, refusal).into_response(false).map(Either::Left)
    })
}

/// Prints the only line on standard output; scripts wait for it.
fn announce(address: SocketAddr) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on http://{address}");
    let _ = stdout.flush();
}
