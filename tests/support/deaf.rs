//! A way to a Postgres server on which no notification arrives.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The message of the protocol that has a notification.
const NOTIFICATION: u8 = b'A';

/// A proxy before a Postgres server. Dropping it ends it for further connections.
#[derive(Debug)]
pub(crate) struct Deaf {
    url: String,
    dropped: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Deaf {
    /// Before the server of the database at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let server = url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url.replace(&server, &listener.local_addr().unwrap().to_string());
        let dropped = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&dropped);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, server.clone(), Arc::clone(&counter)));
            }
        });
        Self { url, dropped, accepting }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Number of notifications that were dropped.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, server: String, dropped: Arc<AtomicUsize>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    // A message is written in one piece, so none waits for another.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut from_server = BufReader::new(from_server);
    // The first message asks for encryption, which a test's server answers with one byte: no.
    let mut first = [0; 8];
    from_client.read_exact(&mut first).await?;
    to_server.write_all(&first).await?;
    if first == [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f] {
        let answer = from_server.read_u8().await?;
        assert_eq!(answer, b'N', "the server encrypts");
        to_client.write_u8(answer).await?;
    }
    let heard = async {
        while let Some(message) = message(&mut from_server).await? {
            if message[0] == NOTIFICATION {
                dropped.fetch_add(1, Ordering::Relaxed);
            } else {
                to_client.write_all(&message).await?;
            }
        }
        io::Result::Ok(())
    };
    // Either side may end.
    tokio::select! {
        heard = heard => heard,
        said = copy(&mut from_client, &mut to_server) => said.map(drop),
    }
}

/// The next message of the server: a byte with its kind, four with the length of the rest, the rest.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = vec![0; 5];
    match from.read_exact(&mut message).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = u32::from_be_bytes(message[1..5].try_into().expect("four bytes")) as usize;
    message.resize(1 + length, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok(Some(message))
}
