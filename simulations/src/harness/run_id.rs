//! The run ids of servers.

use redfence::protocol::RunId;

/// The run id of run number `life` of server `number`.
#[must_use]
pub fn run_id(number: u8, life: u32) -> RunId {
    let mut bytes = [number; 20];
    if let Some((head, _)) = bytes.split_first_chunk_mut() {
        *head = life.to_be_bytes();
    }
    RunId::from_bytes(bytes)
}
