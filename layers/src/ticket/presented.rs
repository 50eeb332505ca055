use std::{fmt, sync::Arc};

use http::{Extensions, Uri, uri::PathAndQuery};

const PREFIX: &str = "ticket=";

/// The ticket from a request's URL, which [`TicketLayer`](super::TicketLayer) puts into the request's extensions.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented(Option<Arc<str>>);

impl Presented {
    /// The ticket. `None` if the URL had several, of which none is valid.
    pub(super) fn ticket(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(..)")
    }
}

/// Moves the ticket of `?ticket=` from the URL into the extensions. The rest of the URL keeps its exact bytes.
pub(super) fn take(uri: &mut Uri, extensions: &mut Extensions) {
    let Some(query) = uri.query().filter(|query| query.contains(PREFIX)) else { return };
    let (tickets, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with(PREFIX));
    let presented = match *tickets {
        [] => return,
        // A layer further out may have taken one already.
        [ticket] if extensions.get::<Presented>().is_none() => Presented(Some(ticket[PREFIX.len()..].into())),
        _ => Presented(None),
    };
    let path = uri.path();
    let stripped = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query =
        Some(PathAndQuery::try_from(stripped).expect("a part of what was one is one as well"));
    *uri = Uri::from_parts(parts).expect("only the query has changed");
    extensions.insert(presented);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str) -> (String, Option<Presented>) {
        let (mut uri, mut extensions) = (uri.parse::<Uri>().unwrap(), Extensions::new());
        take(&mut uri, &mut extensions);
        (uri.to_string(), extensions.remove())
    }

    #[test]
    fn a_ticket_leaves_the_url_and_nothing_else_does() {
        for (given, left, ticket) in [
            ("/a?ticket=t", "/a", "t"),
            ("/a?ticket=t&b=1", "/a?b=1", "t"),
            ("/a?b=1&ticket=t", "/a?b=1", "t"),
            ("/a?b=%20&&c&ticket=t&=&ticketed=1", "/a?b=%20&&c&=&ticketed=1", "t"),
            ("/a?ticket=", "/a", ""),
            ("/a?ticket=t=u", "/a", "t=u"),
            ("http://host:1/a?ticket=t&b", "http://host:1/a?b", "t"),
        ] {
            assert_eq!(taken(given), (left.to_owned(), Some(Presented(Some(ticket.into())))), "{given}");
        }
        for untouched in ["/a", "/a?", "/a?b=1", "/ticket=t", "/a?myticket=t", "/a?ticket", "*", "host:443"] {
            assert_eq!(taken(untouched), (untouched.to_owned(), None));
        }
    }

    #[test]
    fn of_several_tickets_none_counts_and_none_stays() {
        assert_eq!(taken("/a?ticket=t&b&ticket=u"), ("/a?b".to_owned(), Some(Presented(None))));
    }

    #[test]
    fn what_a_layer_further_out_took_is_kept() {
        let (mut uri, mut extensions) = ("/a?ticket=t".parse::<Uri>().unwrap(), Extensions::new());
        take(&mut uri, &mut extensions);
        take(&mut uri, &mut extensions);
        assert_eq!(extensions.get::<Presented>().unwrap().ticket(), Some("t"));
        take(&mut "/a?ticket=u".parse().unwrap(), &mut extensions);
        assert_eq!(extensions.get::<Presented>().unwrap().ticket(), None, "now there are two");
    }

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(format!("{:?}", Presented(Some("s3cret".into()))), "Presented(..)");
    }
}
