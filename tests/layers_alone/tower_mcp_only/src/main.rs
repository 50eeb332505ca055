//! An event log as the event store and session store of `tower-mcp`, held against that crate's own suites of what these
//! stores promise

mod stores;

use agent_webkit_layers::resume::RingLog;
use tower_mcp::testing::store_contracts::{event_store_contract, session_store_contract};

use stores::Stores;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    event_store_contract(|| Stores(RingLog::default())).await;
    session_store_contract(|| Stores(RingLog::default())).await;
}
