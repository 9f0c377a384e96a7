//! Processing many items at once, with a share of them on each core.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// With fewer items than this, threads are not worth their cost.
const MANY: usize = 2000;

/// Maps `work` over all items, in order.
pub(crate) fn map<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = if things.len() < MANY { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let share_of = &|things: &[T]| things.iter().map(&work).collect::<Vec<R>>();
    let mut shares = things.chunks(things.len().div_ceil(cores).max(1));
    let Some(own) = shares.next() else { return Vec::new() };
    thread::scope(|scope| {
        let spawn = |share| (share, thread::Builder::new().spawn_scoped(scope, move || share_of(share)).ok());
        let others: Vec<_> = shares.map(spawn).collect();
        let mut made = share_of(own);
        for (share, other) in others {
            made.extend(match other {
                Some(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // There may be no more threads: then this one does the share.
                None => share_of(share),
            });
        }
        made
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_done_once_and_in_its_place_however_many_there_are() {
        for count in [0, 1, 7, MANY - 1, MANY, MANY + 1, 10 * MANY + 3] {
            let numbers: Vec<usize> = (0..count).collect();
            assert_eq!(map(&numbers, |number| number + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
