//! Settings of notifications on devices.

use std::path::PathBuf;

use super::{SettingsError, http_client, reloaded};
use crate::push::{Push, PushServices, ServerKey};

/// Settings of notifications on devices, by Web Push.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct PushSettings {
    /// Let people turn on notifications for their devices in the console. The value is how the operators of push services
    /// reach you: `mailto:` and an address, or an https URL. See docs/push.md.
    #[arg(long = "push", value_name = "CONTACT", env = "AGENT_WEBKIT_PUSH")]
    pub contact: Option<String>,

    /// File with the private key by which push services know this server: 32 bytes in base64url. Default: a key that is
    /// generated once and kept in the database.
    #[arg(long = "push-key-file", value_name = "PATH", env = "AGENT_WEBKIT_PUSH_KEY_FILE")]
    pub key_file: Option<PathBuf>,

    /// Push service besides those of the common browsers, such as `https://push.example.com:8443`; repeat it for more. The
    /// server sends to every path there that a client names.
    #[arg(
        long = "push-service",
        value_name = "URL",
        env = "AGENT_WEBKIT_PUSH_SERVICE",
        value_delimiter = ','
    )]
    pub services: Vec<String>,
}

impl PushSettings {
    /// The notifications; `None` if they are off.
    pub(super) fn push(&self) -> Result<Option<Push>, SettingsError> {
        let Some(contact) = &self.contact else {
            return match self.key_file.is_some() || !self.services.is_empty() {
                true => Err(SettingsError::new("--push-key-file and --push-service need --push")),
                false => Ok(None),
            };
        };
        let unusable = |error: &dyn std::error::Error| SettingsError::new(error.to_string());
        let added = |services: PushServices, url: &String| services.with(url);
        let services = self.services.iter().try_fold(PushServices::default(), added);
        let push = Push::new(http_client::open(), contact).map_err(|error| unusable(&error))?;
        let push = push.services(services.map_err(|error| unusable(&error))?);
        Ok(Some(match &self.key_file {
            Some(path) => push.key(reloaded::read(path, str::parse::<ServerKey>)?),
            None => push,
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::parse;

    #[test]
    fn notifications_need_a_contact_and_a_key_that_is_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw\n").unwrap();
        let path = file.path().to_str().unwrap();
        let wrong_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(wrong_file.path(), "s3cret").unwrap();
        let given = |args: &[&str]| parse(args, &[]).unwrap().push.push();
        assert!(given(&[]).unwrap().is_none());
        let on = ["--push", "mailto:ops@example.com"];
        for right in
            [&[][..], &["--push-key-file", path], &["--push-service", "https://a.example,http://127.0.0.1:9"]]
        {
            assert!(given(&[&on, right].concat()).unwrap().is_some(), "{right:?}");
        }
        assert!(given(&["--push", "https://example.com/contact"]).unwrap().is_some());
        for wrong in [
            &["--push", "ops@example.com"][..],
            &["--push", "mailto:ops@example.com\r\nx: y"],
            &["--push", "http://example.com"],
            &["--push-key-file", path],
            &["--push-service", "https://a.example"],
            &[on[0], on[1], "--push-service", "a.example"],
            &[on[0], on[1], "--push-key-file", wrong_file.path().to_str().unwrap()],
            &[on[0], on[1], "--push-key-file", "/no/such/file"],
        ] {
            let error = given(wrong).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{wrong:?}: {error}");
        }
    }
}
