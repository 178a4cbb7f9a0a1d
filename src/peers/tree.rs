//! Peer groups inside wider peer groups.

use std::collections::BTreeMap;

/// A forest of peer groups, narrow ones inside wider ones; a node is named by its number, and a parent's number
/// is below its children's.
#[derive(Clone, Debug)]
pub struct Tree {
    parent: Vec<Option<u32>>,
}

impl Tree {
    /// The forest with these parents. `None` unless every parent stands before its children.
    #[cfg(test)]
    pub fn new(parent: Vec<Option<u32>>) -> Option<Tree> {
        let ordered = parent.iter().enumerate().all(|(node, up)| up.is_none_or(|up| (up as usize) < node));
        ordered.then_some(Tree { parent })
    }

    /// The forest of all prefixes of these paths, each from its root to its leaf, and the leaf of each path.
    ///
    /// Nodes are numbered in the order of their paths, so the numbers do not depend on the order of the input. An
    /// empty path has no node: its leaf is `None`.
    pub fn from_paths<K: Ord>(paths: &[Vec<K>]) -> (Tree, Vec<Option<u32>>) {
        let mut numbers: BTreeMap<&[K], u32> = BTreeMap::new();
        for path in paths {
            numbers.extend((1..=path.len()).map(|length| (&path[..length], 0)));
        }
        let mut parent = Vec::with_capacity(numbers.len());
        let mut ancestors: Vec<u32> = Vec::new();
        for (number, (path, slot)) in (0u32..).zip(&mut numbers) {
            *slot = number;
            ancestors.truncate(path.len() - 1);
            parent.push(ancestors.last().copied());
            ancestors.push(number);
        }
        let leaves = paths.iter().map(|path| numbers.get(path.as_slice()).copied()).collect();
        (Tree { parent }, leaves)
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.parent.len()
    }

    /// Whether there is no node.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.parent.is_empty()
    }

    /// The next wider group; `None` for a root.
    pub fn parent(&self, node: u32) -> Option<u32> {
        self.parent[node as usize]
    }

    /// The group itself and all wider ones, the root last.
    pub fn upwards(&self, node: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(node), |&node| self.parent(node))
    }

    /// The number of wider groups.
    pub fn depth(&self, node: u32) -> usize {
        self.upwards(node).count() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_make_a_forest_whatever_their_order() {
        let paths = [vec!["pop", "us"], vec!["pop"], vec!["search", "us"], vec!["pop", "de"], vec![]];
        let (tree, leaves) = Tree::from_paths(&paths);
        assert_eq!(tree.parent, [None, Some(0), Some(0), None, Some(3)]);
        assert_eq!(leaves, [Some(2), Some(0), Some(4), Some(1), None]);
        assert_eq!(tree.upwards(4).collect::<Vec<_>>(), [4, 3]);
        assert_eq!((tree.depth(4), tree.depth(3), tree.len()), (1, 0, 5));
    }

    #[test]
    fn circles_are_refused() {
        assert!(Tree::new(vec![None, Some(0), Some(1)]).is_some());
        for parent in [vec![Some(0)], vec![Some(1), None], vec![None, Some(7)]] {
            assert!(Tree::new(parent).is_none());
        }
        assert!(Tree::new(Vec::new()).expect("no nodes").is_empty());
    }
}
