//! Which columns of a roster hold what: as typed on a command line, and as remembered beside the CA.

use serde::{Deserialize, Serialize};

/// How to read a roster, where that does not follow from its headings.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// The column of IDs, which are used as they are. By default `id`.
    pub id_column: Option<String>,
    /// The column from which IDs are made.
    pub id_from: Option<String>,
    /// The columns of full names, which are joined with a space.
    pub name_columns: Vec<String>,
    /// The column of mail addresses.
    pub email_column: Option<String>,
    /// Whether the first line is a person, whatever it looks like.
    pub no_header: bool,
    /// The sheet of a workbook; the first one that has text by default.
    pub sheet: Option<String>,
    /// The encoding of the text, if it cannot be told from the text.
    pub encoding: Option<&'static encoding_rs::Encoding>,
}

impl Choices {
    /// Returns whether somebody chose a column.
    pub(super) fn has_columns(&self) -> bool {
        self.has_id() || !self.name_columns.is_empty() || self.email_column.is_some()
    }

    /// Returns whether somebody chose where IDs come from.
    pub(super) fn has_id(&self) -> bool {
        self.id_column.is_some() || self.id_from.is_some()
    }

    /// Returns every column that was chosen.
    pub(super) fn columns(&self) -> impl Iterator<Item = &String> {
        let ids = self.id_column.iter().chain(&self.id_from);
        ids.chain(&self.name_columns).chain(&self.email_column)
    }

    /// Returns these choices, completed by remembered ones.
    pub(super) fn or(&self, kind: &Kind) -> Self {
        let mut both = self.clone();
        if !both.has_id() {
            both.id_column.clone_from(&kind.id_column);
            both.id_from.clone_from(&kind.id_from);
        }
        if both.name_columns.is_empty() {
            both.name_columns.clone_from(&kind.name_columns);
        }
        if both.email_column.is_none() {
            both.email_column.clone_from(&kind.email_column);
        }
        both
    }
}

/// The kinds of rosters that were read before, newest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    rosters: Vec<Kind>,
}

/// One kind of roster: how to recognise it, and which columns hold what. No cell of a roster is here, only
/// headings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kind {
    /// The learning platform, if it is a known export. Then `headings` are the ones that identify people, as
    /// each new exercise adds a column. Otherwise they are all headings.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) platform: Option<String>,
    pub(super) headings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) id_column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) id_from: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) name_columns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) email_column: Option<String>,
}

/// The kinds that are remembered; the oldest is forgotten first.
const KINDS_MAX: usize = 64;

impl Remembered {
    /// Reads what was remembered. The error says what is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("it is not what ca-tool wrote: {error}"))
    }

    /// Returns the text to write.
    pub(crate) fn format(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// Remembers a kind in place of what was known of it. Returns whether that changes anything.
    pub(crate) fn add(&mut self, kind: Kind) -> bool {
        let is_same =
            |there: &Kind| there.platform == kind.platform && there.headings == kind.headings;
        if self.rosters.contains(&kind) {
            return false;
        }
        self.rosters.retain(|there| !is_same(there));
        self.rosters.push(kind);
        let surplus = self.rosters.len().saturating_sub(KINDS_MAX);
        self.rosters.drain(..surplus);
        true
    }

    /// Finds the kind of a roster with this platform and these headings. Other headings may be other
    /// people's data, so nothing is taken for nearly the same.
    pub(super) fn find(&self, platform: Option<&str>, headings: &[String]) -> Option<&Kind> {
        self.rosters
            .iter()
            .find(|kind| kind.platform.as_deref() == platform && kind.headings == headings)
    }
}
