//! Which colour each name has: a colour comes back only when all the others are taken.
//!
//! A name begins with the colour that its letters lead to, so that it mostly looks the same on every
//! screen and each day. If somebody else has that colour already, it takes the next free one.

use std::collections::{HashMap, VecDeque};

use wire::ClientId;

/// The names that are remembered; of more, those met first are forgotten.
const NAMES_MAX: usize = 1000;

/// The names that were met, each with the number of its colour.
#[derive(Debug)]
pub(crate) struct Names {
    numbers: HashMap<ClientId, usize>,
    /// The names in the order in which they were met.
    met: VecDeque<ClientId>,
    /// How many of them have each colour.
    taken: Vec<usize>,
}

impl Names {
    /// Begins without names, for so many colours.
    pub(crate) fn new(colours: usize) -> Self {
        Self {
            numbers: HashMap::new(),
            met: VecDeque::new(),
            taken: vec![0; colours.max(1)],
        }
    }

    /// Returns the number of a name's colour. A name that was not met has the one it would begin
    /// with.
    pub(crate) fn number(&self, id: &ClientId) -> usize {
        let met = self.numbers.get(id).copied();
        met.unwrap_or_else(|| self.first_choice(id))
    }

    /// Gives a name its colour when it is met for the first time.
    pub(crate) fn meet(&mut self, id: &ClientId) {
        if self.numbers.contains_key(id) {
            return;
        }
        if self.met.len() >= NAMES_MAX
            && let Some(first) = self.met.pop_front()
            && let Some(number) = self.numbers.remove(&first)
        {
            self.taken[number] -= 1;
        }
        let (count, first) = (self.taken.len(), self.first_choice(id));
        let order = (0..count).map(|step| (first + step) % count);
        let number = order.min_by_key(|number| self.taken[*number]).unwrap_or(0);
        self.taken[number] += 1;
        self.numbers.insert(id.clone(), number);
        self.met.push_back(id.clone());
    }

    /// Gives every name a colour anew, of so many: the terminal has told its background.
    pub(crate) fn recolour(&mut self, colours: usize) {
        let met = std::mem::take(&mut self.met);
        *self = Self::new(colours);
        met.iter().for_each(|id| self.meet(id));
    }

    fn first_choice(&self, id: &ClientId) -> usize {
        // FNV-1a, which spreads short names well and stays the same in every release.
        let hash = id.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash as usize % self.taken.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(name: &str) -> ClientId {
        ClientId::parse(name).expect("a name")
    }

    #[test]
    fn a_colour_comes_back_only_when_all_are_taken() {
        let mut names = Names::new(24);
        for n in 0..24 {
            names.meet(&id(&format!("student{n}")));
        }
        let numbers: HashSet<usize> = (0..24)
            .map(|n| names.number(&id(&format!("student{n}"))))
            .collect();
        assert_eq!(numbers.len(), 24);
        for n in 24..27 {
            names.meet(&id(&format!("student{n}")));
        }
        assert!(
            names.taken.iter().all(|count| *count <= 2),
            "{:?}",
            names.taken
        );
    }

    #[test]
    fn a_name_keeps_its_colour_and_the_first_one_is_its_own() {
        let mut names = Names::new(24);
        let alone = names.number(&id("张三"));
        names.meet(&id("张三"));
        (0..100).for_each(|n| names.meet(&id(&format!("s{n}"))));
        assert_eq!(names.number(&id("张三")), alone);
        names.recolour(16);
        assert!(names.number(&id("张三")) < 16);
    }

    #[test]
    fn no_number_of_names_takes_up_memory_without_end() {
        let mut names = Names::new(5);
        (0..3 * NAMES_MAX).for_each(|n| names.meet(&id(&format!("s{n}"))));
        assert_eq!(
            (names.met.len(), names.numbers.len()),
            (NAMES_MAX, NAMES_MAX)
        );
        assert_eq!(names.taken.iter().sum::<usize>(), NAMES_MAX);
    }
}
