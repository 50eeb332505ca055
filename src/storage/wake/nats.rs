//! Hints over NATS, by subject: a host gets those that it waits for, and what all hosts need to hear.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    future::{pending, poll_fn, ready},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, StatusCode, Subscriber};
use futures_core::Stream;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Bus, Hint, Outgoing, Wake,
    hints::Message,
    messenger::{Messenger, said},
};
use crate::{backoff::Backoff, error_text::with_sources, metrics::Counted, sync::lock};

/// The subject of what every host needs to hear: which streams are followed.
const ALL: &str = "agent-webkit.hosts";

/// Maximum time for a call, and to open a connection.
const CALL: Duration = Duration::from_secs(5);
/// Silence after which the connection is tried.
const SILENCE: Duration = Duration::from_secs(10);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Maximum number of messages of a subject that wait to be read here. More are lost.
const UNREAD: usize = 1024;

/// Speaks over a NATS server.
#[derive(Debug)]
pub(in crate::storage) struct Nats {
    client: Client,
    wake: Wake,
    is_connected: watch::Receiver<bool>,
    /// The subjects that are read, until dropped.
    read: HashMap<Hint, AbortOnDropHandle<()>>,
    _always_read: [AbortOnDropHandle<()>; 2],
}

impl Nats {
    /// Returns before there is a connection, which is opened again whenever it is lost.
    pub(in crate::storage) async fn connect(bus: Bus, wake: Wake) -> Self {
        loop {
            match Self::opened(&bus, &wake).await {
                Ok(nats) => return nats,
                Err(error) => {
                    tracing::warn!(
                        error = with_sources(&*error),
                        ?bus,
                        "a connection to NATS cannot be opened"
                    );
                    tokio::time::sleep(SILENCE).await;
                }
            }
        }
    }

    async fn opened(bus: &Bus, wake: &Wake) -> Result<Self, async_nats::Error> {
        let (connected, is_connected) = watch::channel(false);
        let line = Arc::new(Line { bus: bus.clone(), connected, state: Mutex::default() });
        let client = ConnectOptions::new()
            .name("agent-webkit")
            .retry_on_initial_connect()
            .connection_timeout(CALL)
            .ping_interval(SILENCE)
            .subscription_capacity(UNREAD)
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                line.note(&event);
                ready(())
            })
            .connect(bus.address().clone())
            .await?;
        let all = client.subscribe(ALL).await?;
        let nobody = client.subscribe(nobody(wake.host(), "*")).await?;
        let always_read = [spawn(read(all, wake.clone())), spawn(read_nobody(nobody, wake.clone()))];
        Ok(Self { client, wake: wake.clone(), is_connected, read: HashMap::new(), _always_read: always_read })
    }

    /// Begins or ends to read the subject of a hint.
    async fn change(&mut self, hint: Hint, waits: bool) -> Result<(), async_nats::Error> {
        // What all hosts need to hear is read already.
        let Some(subject) = subject(&hint) else { return Ok(()) };
        if waits {
            let subscriber = self.client.subscribe(subject).await?;
            self.read.insert(hint, spawn(read(subscriber, self.wake.clone())));
        } else {
            self.read.remove(&hint);
        }
        Ok(())
    }

    async fn publish(&self, subject: String, message: &Message) -> Result<(), async_nats::Error> {
        let payload = message.encode().into();
        match &message.hints[..] {
            // If no host reads its inbox, no host has the session.
            [Hint::Mail(session)] => {
                let nobody = nobody(self.wake.host(), &token(session));
                self.client.publish_with_reply(subject, nobody, payload).await?;
            }
            _ => self.client.publish(subject, payload).await?,
        }
        Ok(())
    }

    async fn send(&self, subject: String, message: Message) {
        let published = timeout(CALL, self.publish(subject, &message)).await;
        match &published {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = with_sources(&**error), "failed to send hints"),
            Err(_) => tracing::debug!("failed to send hints in time"),
        }
        said(message.hints.len(), matches!(published, Ok(Ok(()))));
    }
}

impl Messenger for Nats {
    async fn say(&mut self, Outgoing { changed, hints }: Outgoing) {
        // Without a connection the library takes some commands and then hangs. Hints that come late do no harm.
        if self.is_connected.wait_for(|is_connected| *is_connected).await.is_err() {
            return pending().await;
        }
        for (hint, waits) in changed {
            if let Err(error) = self.change(hint, waits).await {
                tracing::debug!(error = with_sources(&*error), "hints of a subject cannot be read");
            }
        }
        let mut for_all = BTreeSet::new();
        for hint in hints {
            match subject(&hint) {
                None => drop(for_all.insert(hint)),
                Some(subject) => {
                    self.send(subject, Message { from: self.wake.host().to_owned(), hints: vec![hint] })
                        .await;
                }
            }
        }
        while let Some(message) = Message::of(self.wake.host(), &mut for_all) {
            self.send(ALL.to_owned(), message).await;
        }
    }
}

/// What is known of the connection.
struct Line {
    bus: Bus,
    connected: watch::Sender<bool>,
    state: Mutex<LineState>,
}

#[derive(Default)]
struct LineState {
    is_reported: bool,
    _heard: Option<Counted>,
}

impl Line {
    fn note(&self, event: &Event) {
        let mut state = lock(&self.state);
        let is_connected = match event {
            Event::Connected => true,
            Event::Disconnected | Event::Closed | Event::ClientError(_) => false,
            other => return tracing::debug!(%other, "NATS"),
        };
        if is_connected {
            tracing::info!(bus = ?self.bus, "hosts hear of each other by NATS");
            *state = LineState { is_reported: false, _heard: Some(Counted::heard()) };
        } else if !std::mem::replace(&mut state.is_reported, true) {
            tracing::warn!(bus = ?self.bus, "without NATS this host hears of others by polls");
            state._heard = None;
        }
        self.connected.send_replace(is_connected);
    }
}

/// Passes on what is said on a subject.
async fn read(mut subscriber: Subscriber, wake: Wake) {
    while let Some(message) = next(&mut subscriber).await {
        wake.receive(&message.payload);
    }
}

/// The server answers that no host reads the inbox of a session: its host has died, or has left it.
async fn read_nobody(mut subscriber: Subscriber, wake: Wake) {
    while let Some(message) = next(&mut subscriber).await {
        if message.status == Some(StatusCode::NO_RESPONDERS)
            && let Some((_, session)) = message.subject.rsplit_once('.')
        {
            wake.send_here(&Hint::Freed(session.to_owned()));
        }
    }
}

async fn next(subscriber: &mut Subscriber) -> Option<async_nats::Message> {
    let mut subscriber = pin!(subscriber);
    poll_fn(|context| subscriber.as_mut().poll_next(context)).await
}

fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(task))
}

fn pause(attempts: usize) -> Duration {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
    (0..attempts.min(10)).fold(Duration::ZERO, |_, _| backoff.next_pause())
}

/// The subject of a hint that some hosts wait for; `None` for those that every host needs to hear.
fn subject(hint: &Hint) -> Option<String> {
    let (kind, key) = match hint {
        Hint::Follows(_) | Hint::Left(_) => return None,
        Hint::Grew(key) => ("grew", key),
        Hint::Mail(session) => ("mail", session),
        Hint::Answered(entry) => ("answered", entry),
        Hint::Freed(session) => ("freed", session),
    };
    Some(format!("agent-webkit.{kind}.{}", token(key)))
}

/// The subject on which the server answers a host that no host reads the inbox of a session.
fn nobody(host: &str, session: &str) -> String {
    format!("agent-webkit.nobody.{}.{session}", token(host))
}

/// A key as a part of a subject: itself if it may be one, else its hash.
fn token(key: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !key.is_empty() && key.len() < 64 && key.bytes().all(is_plain) {
        return key.into();
    }
    hex::encode(Sha256::digest(key)).into()
}

#[cfg(test)]
#[path = "../../../tests/support/ports.rs"]
mod ports;
#[cfg(test)]
#[allow(dead_code, reason = "the tests of hosts use more of it")]
#[path = "../../../tests/support/nats.rs"]
mod real;

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(session: &str) -> Outgoing {
        Outgoing { hints: [Hint::Mail(session.to_owned())].into(), ..Outgoing::default() }
    }

    #[tokio::test]
    async fn a_host_hears_that_no_host_reads_an_inbox() {
        let Some(server) = real::Nats::start() else { return };
        let bus: Bus = server.url().parse().unwrap();
        let [asks, has] = ["asks", "has"].map(|host| Wake::new(host, true));
        let mut asking = Nats::connect(bus.clone(), asks.clone()).await;
        let mut having = Nats::connect(bus, has.clone()).await;
        let reads = |reads| Outgoing {
            changed: [(Hint::Mail("its".to_owned()), reads)].into(),
            ..Outgoing::default()
        };
        having.say(reads(true)).await;
        has_been_heard(&having).await;
        let heard = |session: &str| asks.subscribe(Hint::Freed(session.to_owned()));
        let (its, nobodys) = (heard("its"), heard("nobodys"));

        asking.say(mail("its")).await;
        assert_eq!(has.mail().await, ["its".to_owned()].into());
        // The answers come in the order of the questions.
        asking.say(mail("nobodys")).await;
        timeout(CALL, nobodys.hinted()).await.expect("the server says so");
        assert!(timeout(Duration::ZERO, its.hinted()).await.is_err());

        // The library tells the server in a task of its own.
        having.say(reads(false)).await;
        let asked_until_heard = async {
            while timeout(Duration::from_millis(20), its.hinted()).await.is_err() {
                asking.say(mail("its")).await;
            }
        };
        timeout(CALL, asked_until_heard).await.expect("the server says so");
    }

    /// Waits until the server has handled what was sent to it before: it takes a connection's commands in order.
    async fn has_been_heard(nats: &Nats) {
        let mut marks = nats.client.subscribe("mark").await.unwrap();
        nats.client.publish("mark", "".into()).await.unwrap();
        timeout(CALL, next(&mut marks)).await.unwrap().expect("the mark");
    }

    #[test]
    fn a_subject_is_valid_whatever_the_key() {
        let of = |key: &str| subject(&Hint::Grew(key.to_owned())).unwrap();
        assert_eq!(of("6f1c-11"), "agent-webkit.grew.6f1c-11");
        let odd = ["", "*", ">", "a.b", "a b", "ä", "x\r\n", &"x".repeat(64)].map(of);
        for subject in &odd {
            assert!(
                subject.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)),
                "{subject}"
            );
            assert_eq!(subject.len(), "agent-webkit.grew.".len() + 64);
        }
        assert_eq!(BTreeSet::from(odd).len(), 8, "each has its own");
    }
}
