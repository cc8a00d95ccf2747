//! The transcript's newest part, kept in memory as the bytes that are sent.
//!
//! A tail is immutable: the recorder makes a new one from the last and publishes it, and each
//! session reads the one it has. Neighbouring segments are merged as they grow, so that there are
//! few of them and the work per byte stays small.

use std::sync::Arc;

use wire::Entry;

/// Segments up to this size are merged with their neighbours.
const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// Consecutive entries up to the newest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    segments: Vec<Arc<Segment>>,
    bytes: usize,
}

/// Some consecutive entries, encoded.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// The seq of the first entry.
    first: u64,
    /// The offset in `bytes` at which each entry ends.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tail {
    /// Returns this tail with newer entries at its end, and without as many old ones as it takes to
    /// stay within `bytes_max`. The newest segment always stays.
    pub(crate) fn with(&self, newest: Segment, bytes_max: usize) -> Tail {
        if newest.ends.is_empty() {
            return self.clone();
        }
        // A gap would look like lost lines, so everything before one is forgotten.
        let follows = self.last().is_none_or(|last| last + 1 == newest.first);
        let mut tail = if follows {
            self.clone()
        } else {
            Tail::default()
        };
        tail.bytes += newest.bytes.len();
        let mut newest = newest;
        // Merging only with segments that are not larger copies each byte a logarithmic number of
        // times.
        while let Some(before) = tail.segments.last() {
            let merged = before.bytes.len() + newest.bytes.len();
            if before.bytes.len() > newest.bytes.len() || merged > SEGMENT_BYTES_MAX {
                break;
            }
            newest = before.joined(&newest);
            tail.segments.pop();
        }
        tail.segments.push(Arc::new(newest));
        let mut dropped = 0;
        while tail.bytes > bytes_max && dropped + 1 < tail.segments.len() {
            tail.bytes -= tail.segments[dropped].bytes.len();
            dropped += 1;
        }
        tail.segments.drain(..dropped);
        tail
    }

    /// Returns the entries after `after` up to `to` as they are sent, at most `bytes_max` bytes but
    /// at least one entry, and the seq of the last one. Returns `None` when the tail does not reach
    /// back far enough.
    pub(crate) fn read(&self, after: u64, to: u64, bytes_max: usize) -> Option<(&[u8], u64)> {
        let next = after + 1;
        if next > to || self.segments.first().is_none_or(|first| next < first.first) {
            return None;
        }
        let at = self
            .segments
            .partition_point(|segment| segment.first <= next)
            - 1;
        self.segments[at].read(next, to, bytes_max)
    }

    /// Returns the newest entry's seq.
    pub(crate) fn last(&self) -> Option<u64> {
        self.segments.last().map(|segment| segment.last())
    }
}

impl Segment {
    /// Encodes entries with consecutive seqs.
    pub(crate) fn encode<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Segment {
        let mut segment = Segment::default();
        for entry in entries {
            if segment.ends.is_empty() {
                segment.first = entry.seq;
            }
            entry.encode(&mut segment.bytes);
            segment.ends.push(segment.bytes.len());
        }
        segment
    }

    /// Takes encoded lines, the first of which is the entry `first`.
    pub(crate) fn from_lines(first: u64, bytes: Vec<u8>) -> Segment {
        let ends = memchr::memchr_iter(b'\n', &bytes)
            .map(|end| end + 1)
            .collect();
        Segment { first, ends, bytes }
    }

    fn joined(&self, newer: &Segment) -> Segment {
        let ends = newer.ends.iter().map(|end| self.bytes.len() + end);
        Segment {
            first: self.first,
            ends: self.ends.iter().copied().chain(ends).collect(),
            bytes: [self.bytes.as_slice(), &newer.bytes].concat(),
        }
    }

    fn last(&self) -> u64 {
        self.first + self.ends.len() as u64 - 1
    }

    fn read(&self, next: u64, to: u64, bytes_max: usize) -> Option<(&[u8], u64)> {
        let from = usize::try_from(next.checked_sub(self.first)?).ok()?;
        if from >= self.ends.len() {
            return None;
        }
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        let within = usize::try_from(to.min(self.last()) - self.first).ok()? + 1;
        let limit = start.saturating_add(bytes_max);
        let fitting = self.ends[..within].partition_point(|end| *end <= limit);
        let end = fitting.max(from + 1);
        Some((
            &self.bytes[start..self.ends[end - 1]],
            self.first + end as u64 - 1,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a segment of entries whose text is their seq.
    fn segment(seqs: std::ops::RangeInclusive<u64>) -> Segment {
        let lines: String = seqs.clone().map(|seq| format!("{seq} line\n")).collect();
        Segment::from_lines(*seqs.start(), lines.into_bytes())
    }

    fn tail(batches: &[std::ops::RangeInclusive<u64>], bytes_max: usize) -> Tail {
        batches.iter().fold(Tail::default(), |tail, batch| {
            tail.with(segment(batch.clone()), bytes_max)
        })
    }

    /// Reads everything after `after` in pieces of at most `bytes_max`.
    fn read_all(tail: &Tail, mut after: u64, bytes_max: usize) -> Option<Vec<u64>> {
        let mut found = Vec::new();
        while tail.last().is_some_and(|last| after < last) {
            let (bytes, last) = tail.read(after, u64::MAX, bytes_max)?;
            let text = std::str::from_utf8(bytes).expect("text");
            found.extend(
                text.lines()
                    .filter_map(|l| l.split(' ').next()?.parse::<u64>().ok()),
            );
            assert_eq!(found.last(), Some(&last));
            after = last;
        }
        Some(found)
    }

    #[test]
    fn a_cursor_reads_every_entry_once_in_order() {
        let batches: Vec<_> = (0..200).map(|i| i * 3 + 1..=i * 3 + 3).collect();
        let tail = tail(&batches, usize::MAX);
        for bytes_max in [1, 20, 1000, usize::MAX] {
            for after in [0, 1, 299, 598, 600] {
                let expected: Vec<u64> = (after + 1..=600).collect();
                assert_eq!(
                    read_all(&tail, after, bytes_max),
                    Some(expected),
                    "{after} {bytes_max}"
                );
            }
        }
    }

    #[test]
    fn reading_stops_where_it_is_told() {
        let tail = tail(&[1..=5, 6..=10], usize::MAX);
        assert_eq!(tail.read(3, 4, usize::MAX), Some((&b"4 line\n"[..], 4)));
        assert_eq!(tail.read(4, 4, usize::MAX), None);
        assert_eq!(tail.read(10, 12, usize::MAX), None);
    }

    #[test]
    fn old_entries_are_forgotten_and_said_to_be() {
        let batches: Vec<_> = (1..=1000).map(|i| i..=i).collect();
        let tail = tail(&batches, 400);
        assert!(tail.bytes <= 400 + 400, "{}", tail.bytes);
        assert_eq!(tail.read(0, 1000, 100), None);
        assert_eq!(tail.last(), Some(1000));
        assert!(read_all(&tail, 995, 100).is_some());
    }

    #[test]
    fn there_are_few_segments_however_small_the_batches() {
        let batches: Vec<_> = (1..=100_000).map(|i| i..=i).collect();
        let tail = tail(&batches, usize::MAX);
        assert!(tail.segments.len() < 40, "{}", tail.segments.len());
    }

    #[test]
    fn entries_before_a_gap_are_forgotten() {
        let tail = tail(&[1..=5, 7..=8], usize::MAX);
        assert_eq!(tail.read(4, 8, 100), None);
        assert_eq!(read_all(&tail, 6, 100), Some(vec![7, 8]));
    }
}
