//! The thread that kills: processes of this run and no others, of every kind, at random moments.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::plan::Token;
use super::process::{self, Kind};
use super::runner::Roster;
use crate::random::Random;

/// The kinds to look for, as often as they occur here.
const WANTED: [Kind; 25] = {
    use Kind::{Background, Begin, Block, Cancel, Collect, End, Shell, Subshell, Task, Wait};
    [
        Shell, Background, Background, Background, Background, Task, Task, Task, Task, Subshell, Subshell, Subshell,
        Begin, Begin, Begin, End, End, End, End, Collect, Collect, Collect, Block, Wait, Cancel,
    ]
};

/// How often to look for a process of one kind before trying another.
const LOOKS: usize = 30;

/// What was killed, and in which steps.
#[derive(Debug, Default)]
pub(crate) struct Kills {
    /// The number of processes that the killer killed, by their kind.
    pub(crate) by_kind: BTreeMap<Kind, usize>,
    /// The steps that they belonged to, with their kinds; none for a shell between two steps.
    pub(crate) list: Vec<(Kind, Token)>,
}

impl Kills {
    /// Whether a process of that step was killed.
    pub(crate) fn hit(&self, step: Token) -> bool {
        self.list.iter().any(|&(_, killed)| killed == step)
    }

    /// Whether a waiter in that step was killed. A blocker does not count: the shell starts another.
    pub(crate) fn hit_the_waiter(&self, step: Token) -> bool {
        self.list.iter().any(|&(kind, killed)| killed == step && kind != Kind::Block)
    }
}

/// Kills until `stop` gets a message or is gone. The pauses are `pause` long on average.
pub(crate) fn run(roster: &Roster, seed: u64, pause: Duration, stop: &Receiver<()>) -> Kills {
    let mut random = Random::new(!seed);
    let mut kills = Kills::default();
    let micros = usize::try_from(pause.as_micros()).unwrap_or(usize::MAX / 4);
    loop {
        let nap = Duration::from_micros(random.below(2 * micros + 1) as u64);
        if stop.recv_timeout(nap) != Err(RecvTimeoutError::Timeout) {
            return kills;
        }
        let wanted = random.pick(&WANTED);
        for _ in 0..LOOKS {
            if kill_one(roster, wanted, &mut random, &mut kills) {
                break;
            }
        }
    }
}

fn kill_one(roster: &Roster, wanted: Kind, random: &mut Random, kills: &mut Kills) -> bool {
    if wanted == Kind::Shell && kills.by_kind.get(&wanted).is_some_and(|&killed| killed >= roster.mortal_shells) {
        return false;
    }
    let shells = roster.shells();
    let mut candidates = process::all(&roster.mark, |pid| shells.contains_key(&pid));
    drop(shells);
    candidates.retain(|process| process.kind == wanted);
    if candidates.is_empty() {
        return false;
    }
    let chosen = candidates.swap_remove(random.below(candidates.len()));
    if !chosen.kill() {
        return false;
    }
    *kills.by_kind.entry(chosen.kind).or_default() += 1;
    if let Some(step) = chosen.step {
        kills.list.push((chosen.kind, Token { shell: chosen.shell, step }));
    }
    true
}
