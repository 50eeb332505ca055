//! To each caller, the sessions of all others do not exist.

use http::{Method, StatusCode};

use super::rig::Rig;

#[tokio::test]
async fn a_session_is_its_owners_alone() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    assert_eq!(agent.spec.owner.as_deref(), Some("ada"));
    let path = format!("/sessions/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::HEAD, path.clone()),
        (Method::GET, format!("{path}/stream")),
        (Method::POST, format!("{path}/input")),
        (Method::POST, format!("{path}/tickets")),
    ] {
        let bobs = rig.ask_as("bob", method.clone(), &path, r#"{"type":"interrupt"}"#).await;
        assert_eq!(bobs.status, StatusCode::NOT_FOUND, "{method} {path}");
        let nobodys = path.replace(&id, "00000000-0000-4000-8000-000000000000");
        let nobodys = rig.ask_as("bob", method.clone(), &nobodys, "").await;
        assert_eq!((nobodys.status, nobodys.body), (bobs.status, bobs.body), "{method} {path}");
    }
    assert_eq!(rig.ask_as("bob", Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get(&path).await.status, StatusCode::OK, "it was not touched");
}

#[tokio::test]
async fn everybody_is_listed_their_own_oldest_first() {
    let rig = Rig::new();
    let mut adas = Vec::new();
    for _ in 0..3 {
        adas.push(rig.create("").await.session_id());
    }
    let bobs = rig.ask_as("bob", Method::POST, "/sessions", "").await.session_id();
    let listed = async |token| {
        let list = rig.ask_as(token, Method::GET, "/sessions", "").await.json();
        let ids = list["sessions"].as_array().unwrap().iter();
        ids.map(|session| session["session_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("ada").await, adas);
    assert_eq!(listed("bob").await, [bobs]);
}

#[tokio::test]
async fn nobody_forks_the_session_of_another() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    rig.input(&id, r#"{"type":"user_message","content":"hi"}"#).await;
    agent.ends_turn().await;
    rig.events(&id, None).await.until("result").await;
    let fork = format!(r#"{{"fork_of":{{"session_id":"{id}"}}}}"#);
    let strangers = rig.ask_as("bob", Method::POST, "/sessions", fork.clone()).await;
    assert_eq!(
        (strangers.status, strangers.detail()),
        (StatusCode::NOT_FOUND, "there is no such session".into())
    );
    let own = rig.create(&fork).await.session_id();
    let forked = rig.agents.recv().await.unwrap();
    assert_eq!((&forked.spec.session_id, forked.spec.resume), (&own, true));
    assert_eq!(forked.spec.fork.unwrap().session_id, id);
}
