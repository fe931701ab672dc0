//! The raw redis crate: a multiplexed connection, and what one writes by hand around it. The floor.

use ::redis::AsyncCommands as _;
use ::redis::aio::MultiplexedConnection;
use anyhow::Result;

use super::{HOUR, Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, Tasks};

pub(super) const SUBJECTS: &[Subject] = &[Subject {
    name: "redis",
    label: "redis by hand: `GET`, decode; on a miss encode, `SET`",
    workloads: &[
        (Measure::RedisHit, |place| {
            let connection = connect(place)?;
            Ok(Tasks::boxed(&place.runtime, Ids::Uniform, move |id| {
                find(connection.clone(), id)
            }))
        }),
        (Measure::RedisMiss, |place| {
            let connection = connect(place)?;
            Ok(Tasks::boxed(&place.runtime, Ids::Fresh, move |id| {
                find(connection.clone(), id)
            }))
        }),
    ],
}];

fn connect(place: &Place) -> Result<MultiplexedConnection> {
    let client = ::redis::Client::open(place.redis.as_str())?;
    Ok(place
        .runtime
        .block_on(client.get_multiplexed_async_connection())?)
}

async fn find(mut connection: MultiplexedConnection, id: u64) {
    let key = format!("by-hand:{id}");
    let stored: Option<Vec<u8>> = connection.get(&key).await.expect("an answer");
    if let Some(bytes) = stored {
        let user: User = rmp_serde::from_slice(&bytes).expect("what was stored");
        std::hint::black_box(user);
        return;
    }
    let bytes = rmp_serde::to_vec_named(&User::of(id)).expect("it can be encoded");
    let () = connection
        .set_ex(&key, bytes, HOUR.as_secs())
        .await
        .expect("an answer");
}
