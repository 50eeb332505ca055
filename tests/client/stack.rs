//! The client over a stack in this process, without a socket: bodies are cut at random bytes, requests and answers are
//! lost, and the server is restarted.

use std::{
    convert::Infallible,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit::{
    client::{Client, Credential, HttpService, Item, NewSession},
    layers::resume::{EventLog, RingConfig, RingLog},
    proto::{AgentCommand, AgentEvent, Delta, client::ClientMessage},
    stack::ResponseBody,
    storage::{Storage, StorageConfig, database::Database, events::AnyLog},
};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{BoxError, ServiceExt, service_fn};

use crate::{
    expected::{LAST, Received, Sent, end_turn},
    fake::{FakeAgents, Far},
    rig::{FakeStack, Rig, builder},
    support::Random,
};

const CUTS: usize = 500;

/// Bad luck that depends on a seed.
#[derive(Clone, Debug)]
struct Luck {
    random: Arc<Mutex<Random>>,
    cuts: Arc<AtomicUsize>,
}

impl Luck {
    fn new(seed: u64) -> Self {
        Self { random: Arc::new(Mutex::new(Random::new(seed))), cuts: Arc::default() }
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().below(bound)
    }

    fn strikes(&self) -> Result<(), BoxError> {
        if self.below(16) > 0 {
            return Ok(());
        }
        self.cuts.fetch_add(1, Ordering::Relaxed);
        Err("lost".into())
    }
}

/// A body that breaks after some bytes.
struct Cut {
    inner: ResponseBody,
    left: usize,
    luck: Luck,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            self.luck.cuts.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(Some(Err("cut".into())));
        }
        let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None => return Poll::Ready(None),
        };
        let mut data = frame.into_data().unwrap_or_default();
        data.truncate(self.left);
        self.left -= data.len();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

/// The stack that answers now, over a line that breaks.
fn breaking(stack: Arc<Mutex<FakeStack<AnyLog>>>, luck: Luck) -> impl HttpService {
    service_fn(move |request: Request<Full<Bytes>>| {
        let (answering, luck) = (stack.lock().unwrap().clone(), luck.clone());
        async move {
            luck.strikes()?;
            let answered: Result<_, Infallible> = answering.oneshot(request).await;
            luck.strikes()?;
            let left = usize::try_from(luck.below(900)).unwrap();
            Ok::<_, BoxError>(answered.unwrap().map(|inner| Cut { inner, left, luck }))
        }
    })
}

/// A server on a SQLite file, whose agents answer.
async fn host(folder: &Path) -> (FakeStack<AnyLog>, Storage) {
    let database = Database::sqlite(folder.join("sessions.db")).await.unwrap();
    let storage = Storage::new(database, StorageConfig::default());
    let (agents, mut started) = FakeAgents::new();
    tokio::spawn(async move {
        while let Some(agent) = started.recv().await {
            tokio::spawn(answer(agent));
        }
    });
    (builder(agents, folder).storage(&storage).build(), storage)
}

/// Answers each message by some words and a prompt, whose answer ends the turn.
async fn answer(mut agent: Far) {
    while let Some(command) = agent.commands.recv().await {
        match command {
            AgentCommand::User { message_uuid, .. } => {
                for word in 0..6 {
                    let (delta, message_id) = (Delta::text(&format!("word {word} ")), message_uuid.clone());
                    agent.say(AgentEvent::Delta { message_id, parent_tool_use_id: None, delta }).await;
                }
                agent.asks(&message_uuid).await;
            }
            AgentCommand::Decide { .. } => agent.ends_turn().await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn cut_lost_and_restarted_every_event_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let (stack, mut storage) = host(folder.path()).await;
    let stack = Arc::new(Mutex::new(stack));
    let luck = Luck::new(7);
    let client = Client::new(breaking(Arc::clone(&stack), luck.clone()), "/".parse().unwrap())
        .credential("ada")
        .pauses(Duration::from_millis(1), Duration::from_millis(20));
    let straight = Client::new(stack.lock().unwrap().clone(), "/".parse().unwrap()).credential("ada");
    let id = straight.create(&NewSession::default()).await.unwrap().id().to_owned();
    let session = client.attach(&id);
    let readers = [1, 2].map(|_| tokio::spawn(Received::all(session.events())));

    let (mut events, mut said) = (session.events(), 0);
    while luck.cuts.load(Ordering::Relaxed) < CUTS {
        session.say(format!("message {said}")).await.unwrap();
        said += 1;
        end_turn(&session, &mut events).await;
        if said % 15 == 0 {
            let ending = stack.lock().unwrap().clone();
            ending.sessions().shutdown().await;
            storage.log().shutdown().await;
            let (next, its_storage) = host(folder.path()).await;
            (*stack.lock().unwrap(), storage) = (next, its_storage);
        }
    }
    assert!(said > 15, "the server was never restarted");
    session.say(LAST).await.unwrap();
    end_turn(&session, &mut events).await;
    said += 1;

    // Not in one expression, which would hold the lock while the readers need it.
    let last = stack.lock().unwrap().clone();
    let sent = replay(&last, &id).await;
    let count = |wanted: &str| sent.iter().filter(|(_, name, _)| name == wanted).count();
    assert_eq!((count("user_message"), count("result"), count("prompt_resolved")), (said, said, said));
    for reader in readers {
        let received = reader.await.unwrap();
        assert!(received.reconnections > 100 && received.states > 10, "{}", received.reconnections);
        received.check(&sent);
    }
    session.delete().await.unwrap();
    while events.next().await.is_some_and(|item| item.is_ok()) {}
}

/// All events that the server holds, read without the client.
async fn replay<L: EventLog>(stack: &FakeStack<L>, id: &str) -> Vec<Sent> {
    let rig =
        Rig { stack: stack.clone(), agents: FakeAgents::new().1, workspace: tempfile::tempdir().unwrap() };
    let (mut events, mut sent) = (rig.events(id, None).await, Vec::new());
    loop {
        let event = events.next().await.unwrap();
        let Some(seq) = event.id else { return sent };
        sent.push((seq, event.name, event.data));
    }
}

/// A stack whose log holds the last ten events.
fn short_memory() -> Rig {
    let (agents, far) = FakeAgents::new();
    let log = RingLog::new(RingConfig::default().window_events(10));
    Rig::build(agents, far, |builder| builder.log(log))
}

#[tokio::test]
async fn a_reader_that_was_away_too_long_gets_the_state_and_what_is_held() {
    let mut rig = short_memory();
    let client = Client::new(rig.stack.clone(), "/".parse().unwrap()).credential("ada");
    let session = client.create(&NewSession::default()).await.unwrap();
    let agent = rig.agents.recv().await.unwrap();
    agent.asks("toolu_1").await;
    let mut first = session.events();
    while !matches!(first.next().await, Some(Ok(Item::Event(event))) if event.event.name() == "permission_request")
    {
    }
    for word in 0..20 {
        let delta = Delta::text(&word.to_string());
        agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
    }
    while !matches!(first.next().await, Some(Ok(Item::Event(event))) if event.seq == 22) {}

    let mut events = session.events_after(1);
    let Some(Ok(Item::Reset(Some(state)))) = events.next().await else { panic!("no reset") };
    assert_eq!(
        (state.oldest_seq, state.as_of_seq, &state.more["pending"][0]["correlation_id"]),
        (13, 22, &"toolu_1".into())
    );
    for wanted in 13..=22 {
        let Some(Ok(Item::Event(event))) = events.next().await else { panic!("no event {wanted}") };
        assert_eq!(event.seq, wanted);
    }
    let Some(Ok(Item::State(state))) = events.next().await else { panic!("no state") };
    assert_eq!(state.as_of_seq, 22);
}

#[tokio::test]
async fn a_ticket_opens_the_stream_and_is_renewed() {
    let mut rig = Rig::new();
    let client = Client::new(rig.stack.clone(), "/".parse().unwrap()).credential("ada");
    let session = client.create(&NewSession::default()).await.unwrap();
    let _agent = rig.agents.recv().await.unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let (issuer, counter) = (session.clone(), Arc::clone(&calls));
    let reader = Client::new(rig.stack.clone(), "/".parse().unwrap()).renew_credential(move || {
        let (issuer, call) = (issuer.clone(), counter.fetch_add(1, Ordering::Relaxed));
        // The first one is of no use, as one that has expired.
        async move {
            if call == 0 {
                Ok(Credential::Ticket("expired".to_owned()))
            } else {
                Ok(issuer.ticket().await?.into())
            }
        }
    });
    let mut events = reader.attach(session.id()).events();
    let Some(Ok(Item::Event(event))) = events.next().await else { panic!("no event") };
    assert_eq!((event.event.name(), calls.load(Ordering::Relaxed)), ("session_ready", 2));
    let refused = reader.attach(session.id()).interrupt().await.unwrap_err();
    assert_eq!(refused.refused().unwrap().status, 401, "a ticket sends nothing");
}

#[tokio::test]
async fn a_stranger_has_no_session_and_learns_nothing() {
    let mut rig = Rig::new();
    let ada = Client::new(rig.stack.clone(), "/".parse().unwrap()).credential("ada");
    let session = ada.create(&NewSession::default().cwd(".")).await.unwrap();
    let _agent = rig.agents.recv().await.unwrap();
    assert_eq!(ada.list().await.unwrap()[0].session_id, session.id());
    let bob = Client::new(rig.stack.clone(), "/".parse().unwrap()).credential("bob");
    let his = bob.attach(session.id());
    let status = |error: agent_webkit::client::Error| error.refused().unwrap().status.as_u16();
    assert_eq!(status(his.say("hi").await.unwrap_err()), 404);
    assert_eq!(status(his.events().next().await.unwrap().unwrap_err()), 404);
    let outside = ada.create(&NewSession::default().cwd("/")).await.unwrap_err();
    assert_eq!(status(outside), 403);
    let wrong = session.send(&ClientMessage::allow("never asked")).await.unwrap_err();
    assert_eq!(status(wrong), 409);
}
