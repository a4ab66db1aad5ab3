//! One input, which its seed and number give.

use fastrand::Rng;

use super::mutate::mutate;
use super::targets::Target;

/// Spreads numbers over all of 64 bits. Source: the golden ratio, as splitmix64 has it.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// An input and what it is fed to.
pub(crate) struct Case<'a> {
    pub(crate) target: &'a Target,
    pub(crate) input: Vec<u8>,
}

/// The input of a number.
pub(crate) fn case(targets: &[Target], seed: u64, number: u64) -> Case<'_> {
    let mut rng = Rng::with_seed(seed ^ number.wrapping_mul(SPREAD));
    let target = &targets[rng.usize(..targets.len())];
    let input = mutate(&target.seeds, &mut rng);
    Case { target, input }
}
