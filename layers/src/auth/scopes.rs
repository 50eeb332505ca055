use std::{collections::BTreeSet, fmt, sync::Arc};

/// What a [`Principal`](super::Principal) may do, by names that the service behind the layer gives.
///
/// A credential that says nothing about scopes allows everything: [`Scopes::all`], the default. One that
/// names scopes, or names none in an empty list, allows exactly those. Cloning is cheap.
///
/// ```
/// use agent_webkit_layers::auth::Scopes;
///
/// let reader = Scopes::parse("read, watch");
/// assert!(reader.allow("read") && !reader.allow("write"));
/// assert!(Scopes::all().allow("write"));
/// assert!(!Scopes::none().allow("read"));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Option<Arc<BTreeSet<Box<str>>>>);

impl Scopes {
    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::of::<&str>([])
    }

    /// These and no others.
    #[must_use]
    pub fn of<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(Some(Arc::new(names.into_iter().map(|name| name.as_ref().into()).collect())))
    }

    /// The names in a text, with spaces or commas between them.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::of(text.split([' ', ',', '\t']).filter(|name| !name.is_empty()))
    }

    /// Whether this scope is among them.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(scope))
    }

    /// Those of `scopes` that these allow as well.
    #[must_use]
    pub fn narrowed_to<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(scopes.into_iter().filter(|scope| self.allow(scope)))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("all"),
            Some(names) => f.debug_set().entries(names.iter()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_not_the_same_as_no_list() {
        assert!(Scopes::default().allow("read"));
        for empty in [Scopes::none(), Scopes::parse(""), Scopes::parse(" , ")] {
            assert!(!empty.allow("read"));
            assert!(!empty.allow(""));
        }
    }

    #[test]
    fn a_name_is_compared_as_a_whole() {
        let scopes = Scopes::parse("read,drive");
        for wrong in ["rea", "reader", "READ", "read,drive", "", " "] {
            assert!(!scopes.allow(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn narrowing_never_adds() {
        assert_eq!(Scopes::all().narrowed_to(["read"]), Scopes::of(["read"]));
        assert_eq!(Scopes::parse("drive").narrowed_to(["read"]), Scopes::none());
    }
}
