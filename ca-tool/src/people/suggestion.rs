//! Suggests the name that somebody probably meant.

use wire::ClientId;

/// Says that a name was never issued a certificate, and which name was probably meant.
pub(crate) fn never_issued(name: &str, people: &[ClientId]) -> String {
    // Up to four letters in ten may be wrong; beyond that a suggestion would only confuse.
    let nearest = people
        .iter()
        .map(|id| {
            let distance = strsim::damerau_levenshtein(name, id.as_str());
            (distance, id)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, id)| distance * 10 <= id.as_str().chars().count() * 4);
    let said = format!("\"{}\" was never issued a certificate", wire::escape(name));
    match nearest {
        Some((_, id)) => format!("{said} (did you mean \"{id}\"?)"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let people: Vec<_> = ["alice", "张三"]
            .map(|name| ClientId::parse(name).expect("a name"))
            .into();
        assert!(never_issued("alcie", &people).contains("\"alice\""));
        assert!(!never_issued("bob", &people).contains("mean"));
        assert!(!never_issued("bob", &[]).contains("mean"));
    }
}
