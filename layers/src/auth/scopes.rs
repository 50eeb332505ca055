use std::{collections::BTreeSet, fmt, sync::Arc};

/// The scopes of a [`Principal`](super::Principal): names that say what it may do. The inner service defines them.
///
/// A credential without a list of scopes allows everything: [`Scopes::all`], the default. A credential with a list
/// allows exactly the scopes on it, and nothing if the list is empty. Cloning is cheap.
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
    /// All scopes.
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    /// No scope.
    #[must_use]
    pub fn none() -> Self {
        Self::of::<&str>([])
    }

    /// Exactly these scopes.
    #[must_use]
    pub fn of<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(Some(Arc::new(names.into_iter().map(|name| name.as_ref().into()).collect())))
    }

    /// The scopes in a text, separated by spaces or commas.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::of(text.split([' ', ',', '\t']).filter(|name| !name.is_empty()))
    }

    /// Whether this scope is allowed.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(scope))
    }

    /// The names of the scopes, sorted; `None` if there is no list, so that everything is allowed.
    #[must_use]
    pub fn names(&self) -> Option<impl Iterator<Item = &str>> {
        self.0.as_ref().map(|names| names.iter().map(|name| &**name))
    }

    /// Those of `scopes` that are also allowed here.
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
