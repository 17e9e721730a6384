//! Which types of several files are the same.
//!
//! A type is a color, all that it says of itself, and the types that it refers to, in order. Types are first taken for the same where
//! their colors are; then classes are split by the classes of what is referred to, until none is split any more. What remains
//! together cannot be told apart on any way, however often it leads back: the fewest types that say the same.
//!
//! Time: a walk over all references for each round, of which there are as many as the longest way on which two types differ,
//! [`MAX_ROUNDS`] at most. Memory: a few words for each reference.

use anyhow::{Result, bail};
use std::collections::HashMap;

/// Rounds, at most: those of kernels' types in objects are fewer than twenty.
const MAX_ROUNDS: usize = 1000;

/// A type.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The same number for types that say the same, but for what they refer to.
    pub(super) color: u32,
    /// The nodes that it refers to.
    pub(super) to: Vec<u32>,
}

/// The class of each node. `stands_for` gives for each node the one that is taken in its place, mostly itself.
///
/// # Errors
/// Types that differ only at the end of a way longer than [`MAX_ROUNDS`].
pub(super) fn classes(nodes: &[Node], stands_for: &[u32]) -> Result<Vec<u32>> {
    let real = |n: u32| stands_for[n as usize] as usize;
    let mut class: Vec<u32> = nodes.iter().map(|node| node.color).collect();
    let mut count = 0;
    for _ in 0..MAX_ROUNDS {
        let mut found = HashMap::new();
        let mut next = class.clone();
        for (n, node) in nodes.iter().enumerate().filter(|(n, _)| real(*n as u32) == *n) {
            let to: Vec<u32> = node.to.iter().map(|&to| class[real(to)]).collect();
            let new = found.len() as u32;
            next[n] = *found.entry((class[n], to)).or_insert(new);
        }
        class = next;
        if found.len() == count {
            return Ok((0..nodes.len() as u32).map(|n| class[real(n)]).collect());
        }
        count = found.len();
    }
    bail!("types that refer to each other over more than {MAX_ROUNDS} others")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(list: &[(u32, &[u32])]) -> Vec<Node> {
        list.iter().map(|&(color, to)| Node { color, to: to.to_vec() }).collect()
    }

    fn same(list: &[(u32, &[u32])]) -> Vec<u32> {
        let all: Vec<u32> = (0..list.len() as u32).collect();
        classes(&nodes(list), &all).unwrap()
    }

    #[test]
    fn circles_of_the_same_shape_are_one() {
        // struct a { struct b *p; }; struct b { struct a *q; } twice: a, pointer, b, pointer
        let twice =
            [(0, &[1][..]), (1, &[2]), (2, &[3]), (1, &[0]), (0, &[5]), (1, &[6]), (2, &[7]), (1, &[4])];
        let class = same(&twice);
        assert_eq!(class[..4], class[4..]);
        assert_eq!(class[..4].iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn a_difference_far_away_tells_types_apart() {
        // chains of pointers to int and to long
        let mut list: Vec<(u32, Vec<u32>)> = vec![(1, vec![]), (2, vec![])];
        for n in 0..40 {
            list.push((0, vec![n]));
        }
        let list: Vec<(u32, &[u32])> = list.iter().map(|(color, to)| (*color, &to[..])).collect();
        let class = same(&list);
        assert!((0..42).step_by(2).all(|n| class[n] != class[n + 1]));
    }

    #[test]
    fn one_can_stand_for_another() {
        // a pointer to a declaration and one to what it declares
        let list = nodes(&[(0, &[]), (1, &[]), (2, &[0]), (2, &[1])]);
        let apart = classes(&list, &[0, 1, 2, 3]).unwrap();
        assert_ne!(apart[2], apart[3]);
        let joined = classes(&list, &[1, 1, 2, 3]).unwrap();
        assert_eq!((joined[0], joined[2]), (joined[1], joined[3]));
    }

    #[test]
    fn ways_without_measure_are_refused() {
        let mut list = vec![Node { color: 1, to: vec![] }, Node { color: 2, to: vec![] }];
        list.extend((0..4000).map(|n| Node { color: 0, to: vec![n] }));
        let all: Vec<u32> = (0..list.len() as u32).collect();
        assert!(classes(&list, &all).is_err());
    }
}
