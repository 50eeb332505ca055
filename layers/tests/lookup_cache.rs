//! Resolvers whose findings are kept, and whose calls are shared.
#![cfg(feature = "lookup")]

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use agent_webkit_layers::lookup::{
    Resolve, Unavailable,
    cache::{CacheLayer, Cached, IdKey},
};
use http::{Request, request::Parts};
use tokio::sync::oneshot;
use tower::Layer;

const MINUTE: Duration = Duration::from_secs(60);

type Outcome = Result<Option<&'static str>, Unavailable>;
type Answer = oneshot::Sender<Outcome>;

/// A resolver that the test answers. A call whose answer is dropped panics.
#[derive(Clone, Default)]
struct Asked {
    calls: Arc<Mutex<Vec<(String, Answer)>>>,
    number: Arc<AtomicUsize>,
}

impl Asked {
    fn next(&self) -> (String, Answer) {
        self.calls.lock().unwrap().remove(0)
    }

    fn number(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }
}

impl Resolve for Asked {
    type Value = &'static str;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn resolve(&self, id: &str, _: &Parts) -> Self::Future {
        let (answer, answered) = oneshot::channel();
        self.calls.lock().unwrap().push((id.to_owned(), answer));
        self.number.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { answered.await.expect("the resolver panics") })
    }
}

fn cache(layer: CacheLayer) -> (Asked, Cached<Asked, IdKey>) {
    let asked = Asked::default();
    (asked.clone(), layer.layer(asked))
}

fn head() -> Parts {
    Request::get("/").body(()).unwrap().into_parts().0
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_value_is_looked_up_once_and_an_unknown_id_each_time() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let first = cached.resolve("a", &head());
    asked.next().1.send(Ok(Some("ada"))).unwrap();
    assert_eq!(first.await, Ok(Some("ada")));
    assert_eq!(cached.clone().resolve("a", &head()).await, Ok(Some("ada")));
    assert_eq!(asked.number(), 1);
    for (calls, outcome) in [(2, Ok(None)), (3, Err(Unavailable::default())), (4, Ok(None))] {
        let other = cached.resolve("b", &head());
        asked.next().1.send(outcome.clone()).unwrap();
        assert_eq!((other.await, asked.number()), (outcome, calls));
    }
}

#[tokio::test]
async fn unknown_ids_are_kept_where_that_is_wanted_and_failures_never() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE).unknown_for(MINUTE));
    for outcome in [Err(Unavailable::default()), Ok(None)] {
        let found = cached.resolve("a", &head());
        asked.next().1.send(outcome.clone()).unwrap();
        assert_eq!(found.await, outcome);
    }
    assert_eq!(cached.resolve("a", &head()).await, Ok(None));
    assert_eq!(asked.number(), 2);
    cached.forget("a");
    drop(cached.resolve("a", &head()));
    assert_eq!(asked.number(), 3);
}

#[tokio::test]
async fn two_hundred_requests_share_one_call() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let waiting: Vec<_> = (0..200).map(|_| tokio::spawn(cached.resolve("a", &head()))).collect();
    tokio::task::yield_now().await;
    let (id, answer) = asked.next();
    answer.send(Ok(Some("ada"))).unwrap();
    for found in waiting {
        assert_eq!(found.await.unwrap(), Ok(Some("ada")));
    }
    assert_eq!((asked.number(), &*id), (1, "a"));
}

/// The one that began the call drives it no more, so another one has to.
#[tokio::test]
async fn a_call_goes_on_when_the_one_that_began_it_leaves() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let mut first = cached.resolve("a", &head());
    assert!(poll(&mut first).is_pending());
    let second = tokio::spawn(cached.resolve("a", &head()));
    tokio::task::yield_now().await;
    drop(first);
    asked.next().1.send(Ok(Some("ada"))).unwrap();
    assert_eq!(second.await.unwrap(), Ok(Some("ada")));
    assert_eq!(asked.number(), 1);
}

#[tokio::test]
async fn a_call_for_which_nobody_waits_ends_and_the_next_request_makes_its_own() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let mut first = cached.resolve("a", &head());
    assert!(poll(&mut first).is_pending());
    let (_, answer) = asked.next();
    drop(first);
    assert!(answer.is_closed(), "the resolver's future is dropped");
    let second = cached.resolve("a", &head());
    asked.next().1.send(Ok(Some("ada"))).unwrap();
    assert_eq!(second.await, Ok(Some("ada")));
}

#[tokio::test]
async fn after_a_panic_the_others_get_an_error_and_the_next_request_its_own_call() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let waiting = [(); 3].map(|()| tokio::spawn(cached.resolve("a", &head())));
    tokio::task::yield_now().await;
    drop(asked.next());
    let mut panics = 0;
    for found in waiting {
        match found.await {
            Ok(outcome) => assert_eq!(outcome, Err(Unavailable::default())),
            Err(error) => panics += usize::from(error.is_panic()),
        }
    }
    assert_eq!(panics, 1, "the one that drove it panics as it would have without a cache");
    let next = cached.resolve("a", &head());
    asked.next().1.send(Ok(Some("ada"))).unwrap();
    assert_eq!(next.await, Ok(Some("ada")));
}

#[derive(Clone)]
struct Caller(&'static str);

#[tokio::test]
async fn callers_with_keys_of_their_own_get_values_of_their_own() {
    let asked = Asked::default();
    let layer = CacheLayer::by(MINUTE, |id: &str, request: &Parts| {
        format!("{}/{id}", request.extensions.get::<Caller>().expect("a caller").0)
    });
    let cached = layer.layer(asked.clone());
    for (caller, outcome) in [("ada", Ok(Some("hers"))), ("eve", Ok(None))] {
        let mut head = head();
        head.extensions.insert(Caller(caller));
        let found = cached.resolve("a", &head);
        asked.next().1.send(outcome.clone()).unwrap();
        assert_eq!(found.await, outcome, "{caller}");
    }
    assert_eq!(asked.number(), 2);
}

#[tokio::test]
async fn a_call_that_runs_while_its_key_is_forgotten_is_not_kept() {
    let (asked, cached) = cache(CacheLayer::by_id(MINUTE));
    let old = cached.resolve("a", &head());
    cached.clear();
    asked.next().1.send(Ok(Some("old"))).unwrap();
    assert_eq!(old.await, Ok(Some("old")));
    let new = cached.resolve("a", &head());
    asked.next().1.send(Ok(Some("new"))).unwrap();
    assert_eq!(new.await, Ok(Some("new")));
}
