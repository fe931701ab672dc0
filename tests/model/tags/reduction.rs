//! What makes no difference to any promise, and is forgotten so that there are fewer states.

use cache_runtime::slot::Slot;

use super::protocol::Protocol;
use super::readers::Reader;
use super::world::World;
use crate::world::Floor;

impl Protocol {
    /// Whether there is still a reader who may return what he finds in a slot.
    pub(crate) fn is_read(world: &World) -> bool {
        world.readers.iter().any(|reader| {
            matches!(
                reader,
                Reader::Idle
                    | Reader::Looking { .. }
                    | Reader::Missed { .. }
                    | Reader::Waiting { .. }
                    | Reader::Handed { .. }
            )
        })
    }

    pub(crate) fn forget(&self, world: &mut World) {
        for number in 0..world.readers.len() {
            // A flight that has landed; or a load whose fill will be refused, and that has nothing more to do to the tag.
            let lease = match world.readers[number] {
                Reader::Landed(lease, ..) => lease,
                Reader::Leading(lease, generation) | Reader::Loaded(lease, _, generation)
                    if generation.is_settled() && world.value.0 != Slot::Lease(lease) =>
                {
                    lease
                }
                _ => continue,
            };
            let mut near = world.readers.iter().zip(&self.cast.readers);
            let is_awaited = near.any(|(reader, other)| {
                *other == self.cast.readers[number]
                    && matches!(reader, Reader::Waiting { lease: of, .. } if *of == lease)
            });
            if !is_awaited {
                world.readers[number] = Reader::Done;
            }
        }
        // What is promised to reads that begin.
        if !world.readers.contains(&Reader::Idle) {
            world.floor = Floor::default();
        }
    }
}
