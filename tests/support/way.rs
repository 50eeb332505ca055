//! A way to a Postgres server on which connections can be made to hang: nothing comes, and nothing breaks.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A way to the server on which all connections can be made to hang for good. Those that come later do not.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) url: String,
    hang: watch::Sender<()>,
}

impl Way {
    /// To the server of the database at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let place = url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url.replace(&place, &listener.local_addr().unwrap().to_string());
        let hang = watch::Sender::new(());
        let way = Self { url, hang: hang.clone() };
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&place).await.unwrap();
                let mut hangs = hang.subscribe();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = hangs.changed() => std::future::pending().await,
                    }
                });
            }
        });
        way
    }

    pub(crate) fn hang(&self) {
        self.hang.send_replace(());
    }
}
