//! The budgets of an owner's day and of the server's, over restarts and over hosts, and the ledger that they are read from.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use agent_webkit::storage::{
    Storage, StorageConfig,
    catalog::Spent,
    database::{Database, Location},
};
use serde_json::{Value, json};

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Builder, Script, Server, bash},
};

/// What one message of the practice model costs at the least, in US dollars.
const STEP: f64 = 0.0002;

fn steps(name: &str, count: usize) -> String {
    let script = (0..count).fold(Script::default(), |script, n| {
        script.then(bash(&format!("toolu_{name}_{n}"), &format!("echo {n}")))
    });
    script.then("Done.").to_string()
}

/// A server for Ada and Bob. Their tokens are their names.
fn two_owners(builder: Builder) -> Builder {
    let tokens = builder.dir("home").join("tokens");
    fs::write(&tokens, "ada:ada-token\nbob:bob-token\n").unwrap();
    builder.option("--tokens-file", tokens)
}

/// What the ledger has for today.
async fn ledger(builder: &Builder, place: &Place, owner: &str) -> Spent {
    let location: Location = match place {
        Place::Sqlite => format!("sqlite:{}", builder.dir("home").join("sessions.db").display()),
        place => place.database().url().to_owned(),
    }
    .parse()
    .unwrap();
    let storage = Storage::new(Database::open(&location).await.unwrap().unwrap(), StorageConfig::default());
    let day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86400;
    let spent = storage.persistence().catalog.spent(Some(owner), day).await.unwrap();
    storage.shutdown().await;
    spent
}

fn sum(reader: &Reader) -> f64 {
    let results = reader.shown.iter().filter(|frame| frame.event == "result");
    results.map(|result| result["total_cost_usd"].as_f64().unwrap()).sum()
}

async fn refused(server: &Server, token: &str, id: &str) -> Value {
    let client = server.client().with_token(Some(token));
    loop {
        let reply = client.input(id, &json!({"type": "user_message", "content": "more"})).await;
        // The lease of a killed server holds a little longer.
        if reply.status == 503 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        }
        assert_eq!(reply.status, 402, "{reply:?}");
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds <= 86400, "{seconds}");
        return reply.json();
    }
}

async fn an_owners_day_has_a_budget_on_all_hosts(place: Place) {
    let limit = 8.0 * STEP;
    let builder = two_owners(place.server()).option("--owner-budget-usd-per-day", limit.to_string());
    let hosts = [builder.clone().start().await, builder.clone().start().await];
    let mut readers = Vec::new();
    for host in &hosts {
        let client = host.client().with_token(Some("ada-token"));
        let id = client.created(&json!({})).await;
        readers.push(Reader::of(client, &id));
    }
    for (n, reader) in readers.iter_mut().enumerate() {
        reader.say(&format!("k{n}"), steps(&format!("h{n}"), 60)).await;
    }
    for reader in &mut readers {
        let error = reader.until("error").await.data;
        assert_eq!(
            (&error["code"], &error["budget"]),
            (&json!("budget_exceeded"), &json!("owner_day")),
            "{error}"
        );
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(u128::from(error["free_at"].as_u64().unwrap()) > now, "{error}");
        assert_eq!(reader.until("result").await["subtype"], "error_max_budget_usd");
    }
    let spent = ledger(&builder, &place, "ada").await;
    let results: f64 = readers.iter().map(sum).sum();
    assert!((spent.owner_usd - results).abs() < 1e-9, "{spent:?}, but {results} in the results");
    assert!(results >= limit && results < 4.0 * limit, "{results}");

    // Another session, another host, after kill -9: used up. Another owner's is not.
    let [first, second] = hosts.map(Server::kill);
    let host = first.start().await;
    drop(second);
    let ada = host.client().with_token(Some("ada-token"));
    let other = ada.created(&json!({})).await;
    for id in [&other, &readers[0].id, &readers[1].id] {
        assert_eq!(refused(&host, "ada-token", id).await["code"], "budget_exceeded");
    }
    let bob = host.client().with_token(Some("bob-token"));
    let id = bob.created(&json!({})).await;
    let mut bobs = Reader::of(bob, &id);
    bobs.say("hello", "hello").await;
    assert_eq!(bobs.until("result").await["subtype"], "success");
    let after = ledger(&builder, &place, "bob").await;
    assert!(
        (after.owner_usd - sum(&bobs)).abs() < 1e-9 && (after.all_usd - results - sum(&bobs)).abs() < 1e-9
    );
    // What a deleted session has cost stays spent.
    assert_eq!(ada.delete(&readers[0].id).await.status, 204);
    assert_eq!(ledger(&builder, &place, "ada").await, Spent::new(spent.owner_usd, after.all_usd));
}

async fn the_ledger_equals_the_results_after_a_kill_in_mid_turn(place: Place) {
    let builder = place.server().option("--host-budget-usd-per-day", "100");
    let mut server = builder.clone().start().await;
    let mut reader = Reader::create(server.client()).await;
    for round in 0..3 {
        reader.say(&format!("k{round}"), steps(&format!("r{round}"), 30)).await;
        for _ in 0..3 {
            reader.until("tool_result").await;
        }
        server = server.kill().start().await;
        let result = reader.until("result").await;
        assert_eq!(result["terminal_reason"], "server_restart");
        assert!(
            result["total_cost_usd"].as_f64().unwrap() > 0.0,
            "what is known of the turn's cost: {result:?}"
        );
    }
    reader.say("last", "hello").await;
    reader.until("result").await;
    server.stop();
    let (spent, results) = (ledger(&builder, &place, "default").await, sum(&reader));
    assert!((spent.all_usd - results).abs() < 1e-9, "{spent:?}, but {results} in the results");
}

on_both!(an_owners_day_has_a_budget_on_all_hosts, the_ledger_equals_the_results_after_a_kill_in_mid_turn);

#[tokio::test]
async fn in_memory_the_servers_day_has_a_budget() {
    let builder = two_owners(Server::builder().option("--store", "memory"));
    let server = builder.option("--host-budget-usd-per-day", "0.0005").start().await;
    let client = server.client().with_token(Some("ada-token"));
    let id = client.created(&json!({})).await;
    let mut reader = Reader::of(client, &id);
    reader.say("k", steps("m", 60)).await;
    assert_eq!(reader.until("error").await["budget"], "host_day");
    assert_eq!(reader.until("result").await["subtype"], "error_max_budget_usd");
    let bobs = server.client().with_token(Some("bob-token")).created(&json!({})).await;
    refused(&server, "bob-token", &bobs).await;
}
