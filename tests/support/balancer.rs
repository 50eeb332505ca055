//! A round-robin balancer without any memory: each connection goes to the next host.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use tokio::{io::copy_bidirectional, net::TcpStream};

/// A balancer on its own thread, so that a test that blocks does not stop it. It lasts as long as the test.
#[derive(Debug)]
pub(crate) struct Balancer {
    url: String,
    hosts: Arc<Mutex<Vec<String>>>,
}

impl Balancer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("it is ours");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hosts = Arc::<Mutex<Vec<String>>>::default();
        let balanced = Arc::clone(&hosts);
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it is ours");
                for next in 0.. {
                    let Ok((client, _)) = listener.accept().await else { return };
                    let host = {
                        let hosts = balanced.lock().expect("nobody panics in here");
                        hosts.get(next % hosts.len().max(1)).cloned()
                    };
                    tokio::spawn(relay(client, host));
                }
            });
        });
        Self { url, hosts }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends connections from now on to these hosts, each a `host:port`.
    pub(crate) fn balance(&self, hosts: Vec<String>) {
        *self.hosts.lock().expect("nobody panics in here") = hosts;
    }
}

async fn relay(mut client: TcpStream, host: Option<String>) {
    let Some(host) = host else { return };
    if let Ok(mut server) = TcpStream::connect(host).await {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        // Either side may break off.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
