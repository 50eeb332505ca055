//! Any host serves any session: readers, messages and deletions reach a session through every host of its database,
//! and survive the host that runs it.

use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::{
    place::{Place, with_each_messenger},
    pooler::Pooler,
    reader::Reader,
    support::{Client, Events, Frame, Reply, Script, Server, TOKEN, bash, eventually, processes::agent_of},
};

with_each_messenger! {
    a_session_is_the_same_on_every_host,
    a_message_is_answered_by_the_sessions_own_host,
    a_session_deleted_elsewhere_ends_with_done_for_all,
    readers_elsewhere_stay_connected_when_the_owner_is_killed,
    readers_elsewhere_stay_connected_when_the_owner_is_frozen,
    a_drained_host_hands_its_session_over_with_prompt_and_queue,
    a_message_whose_host_dies_before_it_answers_runs_once,
    a_host_whose_lock_is_lost_keeps_its_sessions,
}

mod on_sqlite {
    use crate::place::Place;

    #[tokio::test]
    async fn a_session_is_the_same_on_every_host() {
        super::a_session_is_the_same_on_every_host(Place::Sqlite).await;
    }

    #[tokio::test]
    async fn a_message_is_answered_by_the_sessions_own_host() {
        super::a_message_is_answered_by_the_sessions_own_host(Place::Sqlite).await;
    }

    #[tokio::test]
    async fn a_session_deleted_elsewhere_ends_with_done_for_all() {
        super::a_session_deleted_elsewhere_ends_with_done_for_all(Place::Sqlite).await;
    }
}

/// Longer than any test: a host that dies must be noticed by its lock.
const LONG_LEASE: &str = "120s";

fn say(text: &str) -> Value {
    json!({"type": "user_message", "content": text})
}

fn allow(request: &Frame) -> Value {
    json!({"type": "permission_response", "correlation_id": request.str("correlation_id"), "behavior": "allow"})
}

async fn hosts<const N: usize>(place: &Place, lease: &str) -> [Server; N] {
    let builder = place.server().env("AGENT_WEBKIT_LEASE", lease);
    let mut servers = Vec::new();
    for _ in 0..N {
        servers.push(builder.clone().start().await);
    }
    servers.try_into().expect("as many as were started")
}

/// The next host for each request, as a balancer without any memory does it.
struct RoundRobin {
    clients: Vec<Client>,
    next: usize,
}

impl RoundRobin {
    fn over(servers: &[Server]) -> Self {
        Self { clients: servers.iter().map(Server::client).collect(), next: 0 }
    }

    fn next(&mut self) -> Client {
        self.next += 1;
        self.clients[self.next % self.clients.len()].clone()
    }

    async fn input(&mut self, id: &str, message: &Value) -> Reply {
        self.next().input(id, message).await
    }
}

async fn state(client: &Client, id: &str) -> Value {
    let reply = client.get(&format!("/sessions/{id}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let mut state = reply.json();
    // By the clock of whoever writes it.
    state.as_object_mut().expect("an object").remove("active_at").expect("a time");
    state
}

fn names(frames: &[Frame], name: &str) -> usize {
    frames.iter().filter(|frame| frame.event == name).count()
}

/// What a new reader gets at each host: the numbered frames, as bytes.
async fn replay(client: &Client, id: &str, last: u64) -> Vec<u8> {
    let mut events = client.events(id).await;
    while events.next().await.expect("the replay is as long").id != Some(last) {}
    events.numbered_bytes()
}

async fn a_session_is_the_same_on_every_host(place: Place) {
    let servers: [Server; 3] = hosts(&place, LONG_LEASE).await;
    let mut balancer = RoundRobin::over(&servers);
    let mut reader = Reader::create(balancer.next()).await;
    let id = reader.id.clone();
    let mut readers: Vec<Reader> =
        balancer.clients.iter().map(|client| Reader::of(client.clone(), &id)).collect();
    for each in &mut readers {
        each.until("session_ready").await;
    }

    let asks = Script::new(bash("toolu_1", "echo original >> written")).then("done");
    for (n, text) in ["one", "two", &asks.to_string()].iter().enumerate() {
        let reply = balancer.input(&id, &say(text)).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{n}: {reply:?}");
    }
    let request = reader.until("permission_request").await;
    let pending = state(&balancer.next(), &id).await;
    for client in &balancer.clients {
        assert_eq!(state(client, &id).await, pending, "with the open prompt");
        let listed = client.get("/sessions").await.json();
        assert_eq!(listed["sessions"][0]["status"], "requires_action", "{listed}");
        let mut joined = client.events_after(&id, reader.last_id()).await;
        let told = joined.next().await.expect("the state");
        assert_eq!(told.event, "session_state");
        assert_eq!(told["pending"][0]["correlation_id"], request["correlation_id"], "{told:?}");
    }

    // Two answers at two hosts at the same time.
    let (one, other) = (balancer.next(), balancer.next());
    let answer = allow(&request);
    let (one, other) = tokio::join!(one.input(&id, &answer), other.input(&id, &answer));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "the first answer wins");
    while names(&reader.shown, "result") < 3 {
        reader.next().await;
    }
    let written = std::fs::read_to_string(servers[0].workspace().join("written")).unwrap();
    assert_eq!(written, "original\n", "it ran once");

    for each in &mut readers {
        while each.last_id() < reader.last_id() {
            each.next().await;
        }
        assert_eq!(each.connections, 1);
        assert_eq!(names(&each.shown, "user_message"), 3);
    }
    let bytes = replay(&balancer.next(), &id, reader.last_id()).await;
    for client in &balancer.clients {
        assert!(replay(client, &id, reader.last_id()).await == bytes, "the same to the byte");
    }
    assert_eq!(agent_of(&id).len(), 1);
}

async fn a_message_is_answered_by_the_sessions_own_host(place: Place) {
    let [owner, other]: [Server; 2] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    let id = reader.id.clone();
    let client = other.client();
    let input = async |message: Value| {
        let reply = client.input(&id, &message).await;
        (reply.status.as_u16(), if reply.body.is_empty() { String::new() } else { reply.detail() })
    };
    assert_eq!(input(say("hello")).await.0, 204);
    reader.until("result").await;
    assert_eq!(input(json!({"type": "interrupt"})).await.0, 204);
    assert_eq!(input(json!({"type": "set_permission_mode", "mode": "plan"})).await.0, 204);
    assert_eq!(state(&owner.client(), &id).await["permission_mode"], "plan");
    // Refused by the host that was asked, by the session, and by its agent.
    let unknown = input(json!({"type": "bogus"})).await;
    assert_eq!(unknown.0, 400, "{unknown:?}");
    let settled =
        input(json!({"type": "permission_response", "correlation_id": "none", "behavior": "allow"})).await;
    assert_eq!(settled, (409, "this prompt was already answered, or was never asked".into()));
    let at_owner =
        owner.client().input(&id, &json!({"type": "set_permission_mode", "mode": "nonsense"})).await;
    let here = input(json!({"type": "set_permission_mode", "mode": "nonsense"})).await;
    assert_eq!(here, (at_owner.status.as_u16(), at_owner.detail()));
    let unknown_session = client.input("00000000-0000-4000-8000-000000000000", &say("hello")).await;
    assert_eq!(unknown_session.status, 404);

    // A repeat at another host runs nothing; the key with another body is refused there, too.
    let path = format!("/sessions/{id}/input");
    let key = [("idempotency-key", "once")];
    for client in [other.client(), owner.client(), other.client()] {
        let reply = client.ask(http::Method::POST, &path, &key, say("keyed").to_string()).await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }
    let reused = client.ask(http::Method::POST, &path, &key, say("another").to_string()).await;
    assert_eq!(reused.status, 422, "{reused:?}");
    reader.until("result").await;
    assert_eq!(names(&reader.shown, "user_message"), 2);

    // In order, from one client, over both hosts.
    for n in 0..6 {
        let client = if n % 2 == 0 { other.client() } else { owner.client() };
        assert_eq!(client.input(&id, &say(&format!("number {n}"))).await.status, 204);
    }
    for n in 0..6 {
        assert_eq!(reader.until("user_message").await["content"], format!("number {n}"));
    }
}

async fn a_session_deleted_elsewhere_ends_with_done_for_all(place: Place) {
    let [owner, other, third]: [Server; 3] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("slow", Script::slow(10_000, 20).to_string()).await;
    reader.until("message_delta").await;
    let id = reader.id.clone();
    let mut watching: Vec<Events> = Vec::new();
    for server in [&owner, &other, &third] {
        let mut events = server.client().events(&id).await;
        events.until("message_delta").await;
        watching.push(events);
    }
    assert_eq!(other.client().delete(&id).await.status, StatusCode::NO_CONTENT);
    for mut events in watching {
        events.rest().await;
        assert_eq!(events.seen.last().map(|frame| &*frame.event), Some("done"));
    }
    for server in [&owner, &other, &third] {
        let client = server.client();
        assert_eq!(client.get(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.input(&id, &say("hello")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.stream(&id, None).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(client.delete(&id).await.status, StatusCode::NO_CONTENT);
    }
    eventually("the end of its agent", async || agent_of(&id).is_empty()).await;
}

async fn readers_elsewhere_stay_connected_when_the_owner_is_killed(place: Place) {
    let [owner, other, third]: [Server; 3] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let id = reader.id.clone();
    let mut readers = [&other, &third].map(|server| Reader::of(server.client(), &id));
    for each in &mut readers {
        each.until("result").await;
    }
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    for each in &mut readers {
        each.until("message_delta").await;
    }
    drop(owner.kill());
    for each in &mut readers {
        assert_eq!(each.until("result").await["terminal_reason"], "server_restart");
        assert_eq!(each.connections, 1, "it stays connected");
    }
    let [first, second] = &mut readers;
    // It goes on, whichever host has taken it over and whichever is asked.
    assert!(first.history("history").await.contains("heliotrope"));
    assert!(second.history("again").await.contains("heliotrope"));
    while first.last_id() < second.last_id() {
        first.next().await;
    }
    assert!(first.shown.iter().map(|frame| &frame.raw).eq(second.shown.iter().map(|frame| &frame.raw)));
    assert_eq!((first.connections, second.connections), (1, 1));
    second.replays().await;
    eventually("the end of the dead host's agent", async || agent_of(&id).len() == 1).await;
}

async fn readers_elsewhere_stay_connected_when_the_owner_is_frozen(place: Place) {
    let [owner, other]: [Server; 2] = hosts(&place, "2s").await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("result").await;
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    elsewhere.until("message_delta").await;
    owner.signal(Signal::STOP);
    // A message for the frozen host waits for the lease to expire, and runs once.
    let posted = other.client().input(&reader.id, &say("while it is frozen")).await;
    assert_eq!(posted.status, StatusCode::NO_CONTENT, "{posted:?}");
    assert_eq!(elsewhere.until("result").await["terminal_reason"], "server_restart");
    assert_eq!(elsewhere.until("user_message").await["content"], "while it is frozen");
    elsewhere.until("result").await;
    owner.signal(Signal::CONT);
    assert!(elsewhere.history("history").await.contains("heliotrope"));
    assert_eq!(elsewhere.connections, 1);
    let frozen = elsewhere.shown.iter().filter(|frame| frame["content"] == "while it is frozen").count();
    assert_eq!(frozen, 1);
    elsewhere.replays().await;
    // The host that was frozen serves it as any other does.
    reader.move_to(owner.client());
    while reader.last_id() < elsewhere.last_id() {
        reader.next().await;
    }
    assert!(reader.history("at-the-frozen").await.contains("while it is frozen"));
}

async fn a_drained_host_hands_its_session_over_with_prompt_and_queue(place: Place) {
    let [owner, other]: [Server; 2] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    let id = reader.id.clone();
    let asks = Script::new(bash("toolu_1", "echo original >> written")).then("done");
    reader.say("asks", asks.to_string()).await;
    let mut elsewhere = Reader::of(other.client(), &id);
    let request = elsewhere.until("permission_request").await;
    assert_eq!(other.client().input(&id, &say("queued")).await.status, StatusCode::NO_CONTENT);
    let written = owner.workspace().join("written");

    // Answered while the owner goes: without a 503, and once.
    let (answered, _) = tokio::join!(
        async {
            eventually("the end of its agent", async || agent_of(&id).is_empty()).await;
            other.client().input(&id, &allow(&request)).await
        },
        tokio::task::spawn_blocking(|| owner.stop()),
    );
    assert_eq!(answered.status, StatusCode::NO_CONTENT, "{answered:?}");
    elsewhere.until("tool_result").await;
    elsewhere.until("result").await;
    assert_eq!(elsewhere.until("result").await["subtype"], "success");
    assert_eq!(elsewhere.connections, 1);
    assert_eq!(std::fs::read_to_string(written).unwrap(), "original\n");
    assert_eq!(names(&elsewhere.shown, "user_message"), 2);
    elsewhere.replays().await;
}

/// A killed host that is started again finds its own earlier life dead.
#[tokio::test]
async fn a_restarted_host_serves_its_sessions_at_once() {
    let place = Place::postgres().await;
    let [owner]: [Server; 1] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let again = owner.kill().start().await;
    reader.move_to(again.client());
    // Within the patience of a reader, which is shorter than the lease.
    assert!(reader.history("history").await.contains("heliotrope"));
}

/// A message is in the event log before its outcome is written. A host that dies in between leaves it to the next one,
/// which must neither run it again nor refuse it.
async fn a_message_whose_host_dies_before_it_answers_runs_once(place: Place) {
    let [owner, other]: [Server; 2] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    let id = reader.id.clone();
    reader.say("first", "The word is heliotrope.").await;
    reader.until("result").await;
    let asks = Script::new(bash("toolu_1", "echo original >> written")).then("done");
    reader.say("asks", asks.to_string()).await;
    let request = reader.until("permission_request").await;
    reader.move_to(other.client());

    place
        .execute(
            "create function agent_webkit_refuse() returns trigger language plpgsql as
             $$ begin raise exception 'not now'; end $$;
             create trigger refuse before update of outcome on agent_webkit_inbox
             for each row execute function agent_webkit_refuse()",
        )
        .await;
    let post = |message: Value| {
        let (client, id) = (other.client(), id.clone());
        tokio::spawn(async move { client.input(&id, &message).await })
    };
    let queued = post(say("queued"));
    assert_eq!(reader.until("user_message").await["content"], "queued");
    let answered = post(allow(&request));
    assert_eq!(reader.until("prompt_resolved").await["outcome"], "answered");
    drop(owner.kill());
    place.execute("drop trigger refuse on agent_webkit_inbox").await;
    for posted in [queued, answered] {
        let reply = posted.await.unwrap();
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
    }
    while names(&reader.shown, "result") < 3 {
        reader.next().await;
    }
    assert!(reader.history("history").await.contains("queued"));
    assert_eq!(names(&reader.shown, "user_message"), 4);
    assert_eq!(names(&reader.shown, "prompt_resolved"), 1);
    reader.replays().await;
}

/// A host that loses its own connection to the database is alive all the same.
async fn a_host_whose_lock_is_lost_keeps_its_sessions(place: Place) {
    let [owner, other]: [Server; 2] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    reader.say("slow", Script::slow(150, 20).to_string()).await;
    elsewhere.until("message_delta").await;
    for _ in 0..5 {
        place
            .execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1
                 and database = (select oid from pg_database where datname = current_database())",
            )
            .await;
        assert_eq!(state(&other.client(), &reader.id).await["status"], "running");
        elsewhere.until("message_delta").await;
    }
    assert_eq!(elsewhere.until("result").await["subtype"], "success");
    assert_eq!(elsewhere.connections, 1);
    assert!(elsewhere.shown.iter().all(|frame| frame.event != "error"));
    // It is noticed again when it dies.
    drop(owner.kill());
    assert_eq!(other.client().input(&reader.id, &say("on")).await.status, StatusCode::NO_CONTENT);
    elsewhere.until("user_message").await;
    elsewhere.until("result").await;
    assert_eq!(elsewhere.connections, 1);
}

/// Through a pooler of transactions no hint arrives and no lock is held: what is left are polls and the lease.
#[tokio::test]
async fn hosts_behind_a_pooler_serve_every_session() {
    let place = Place::postgres().await;
    let Some(pooler) = Pooler::before(place.database().url(), "transaction").await else { return };
    let server = Server::builder().option("--store", pooler.url()).env("AGENT_WEBKIT_LEASE", "2s");
    let [owner, other] = [server.clone().start().await, server.start().await];
    let mut reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("session_ready").await;
    assert_eq!(other.client().input(&reader.id, &say("from elsewhere")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(elsewhere.until("user_message").await["content"], "from elsewhere");
    elsewhere.until("result").await;
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    elsewhere.until("message_delta").await;
    drop(owner.kill());
    assert_eq!(elsewhere.until("result").await["terminal_reason"], "server_restart");
    assert_eq!(other.client().delete(&reader.id).await.status, StatusCode::NO_CONTENT);
    elsewhere.until("done").await;
    assert_eq!(elsewhere.connections, 1);
}

/// A host that does not answer loses the session, without a wait for its lease.
#[tokio::test]
async fn a_session_deleted_while_its_host_is_frozen_ends_with_done() {
    let place = Place::postgres().await;
    let [owner, other]: [Server; 2] = hosts(&place, LONG_LEASE).await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("slow", Script::slow(10_000, 20).to_string()).await;
    let mut elsewhere = other.client().events(&reader.id).await;
    elsewhere.until("message_delta").await;
    owner.signal(Signal::STOP);
    let deleted = other.client().delete(&reader.id).await;
    owner.signal(Signal::CONT);
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    elsewhere.rest().await;
    let ends: Vec<_> = elsewhere.seen.iter().rev().take(2).map(|frame| &*frame.event).collect();
    assert_eq!(ends, ["done", "result"]);
    for server in [&owner, &other] {
        let found = server.client().get(&format!("/sessions/{}", reader.id)).await;
        assert_eq!(found.status, StatusCode::NOT_FOUND);
    }
    eventually("the end of its agent", async || agent_of(&reader.id).is_empty()).await;
}

#[tokio::test]
async fn a_reader_elsewhere_that_stalls_is_told_when_it_is_too_far_behind() {
    let place = Place::postgres().await;
    let server = place.server().option("--log-window", "50");
    let [owner, other] = [server.clone().start().await, server.start().await];
    let mut reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("session_ready").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stalled = socket.connect(other.authority().parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /sessions/{}/stream HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n",
        reader.id,
        other.authority()
    );
    stalled.write_all(request.as_bytes()).await.unwrap();

    // Two megabytes per turn, in total more than the window, the lag budget and the socket buffers.
    let script = Script::new(json!({"text": "0123456789abcde ".repeat(1024), "times": 64}));
    for turn in 0..9 {
        reader.say(&format!("turn-{turn}"), script.to_string()).await;
        reader.until("result").await;
        elsewhere.until("result").await;
    }
    assert_eq!(state(&owner.client(), &reader.id).await, state(&other.client(), &reader.id).await);
    assert_eq!(
        owner.client().get("/sessions").await.json()["sessions"][0]["oldest_seq"],
        reader.last_id() - 49
    );
    assert_eq!(
        other.client().get("/sessions").await.json()["sessions"][0]["oldest_seq"],
        reader.last_id() - 49
    );

    assert_eq!(owner.client().delete(&reader.id).await.status, StatusCode::NO_CONTENT);
    elsewhere.until("done").await;
    let mut read = String::new();
    stalled.read_to_string(&mut read).await.unwrap();
    let end = &read[read.len().saturating_sub(400)..];
    assert!(end.contains("event: error\n") && end.contains(r#""code":"evicted""#), "{end}");
    assert_eq!(elsewhere.connections, 1, "the others are not disturbed");
}
