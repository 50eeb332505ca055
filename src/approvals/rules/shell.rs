//! What a shell command runs, as far as a rule has to know it.

/// The commands in a shell command.
#[derive(Debug, Default)]
pub(super) struct Shell {
    /// The words of each, without quotes.
    commands: Vec<Vec<String>>,
    /// It is one command, and its words say all that it does: it has no separator, redirection, expansion, variable or
    /// comment.
    is_plain: bool,
}

/// Words that run the words after them.
const PREFIXES: [&str; 14] = [
    "sudo", "doas", "env", "command", "exec", "builtin", "nohup", "nice", "time", "timeout", "xargs", "then",
    "do", "else",
];

impl Shell {
    pub(super) fn parse(text: &str) -> Self {
        let mut parser =
            Parser { text: text.chars().peekable(), shell: Self { is_plain: true, ..Self::default() } };
        parser.run(None);
        let mut shell = parser.shell;
        let first = shell.commands.first().and_then(|words| words.first());
        let is_odd = first
            .is_none_or(|first| first.contains('=') || first.chars().any(|c| c.is_whitespace() || c == '~'));
        shell.is_plain &= shell.commands.len() == 1 && !is_odd;
        shell
    }

    /// The words of the one command that this is, if it is plain.
    pub(super) fn plain(&self) -> Option<String> {
        self.is_plain.then(|| self.commands[0].join(" "))
    }

    /// Each command as texts that a rule may name it by: as it is, and without the path of its program and the words
    /// before it that only run it. A command line given to another shell is one, too.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for words in &self.commands {
            for (at, word) in words.iter().enumerate() {
                let program = word.rsplit('/').next().unwrap_or(word);
                names.push(
                    [&[program], &words[at + 1..].iter().map(String::as_str).collect::<Vec<_>>()[..]]
                        .concat()
                        .join(" "),
                );
                let is_shell = matches!(program, "eval" | "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish");
                if is_shell {
                    let given = words[at + 1..].iter().filter(|word| word.contains(char::is_whitespace));
                    names.extend(given.flat_map(|line| Self::parse(line).names()));
                }
                let is_option = at > 0 && (word.starts_with('-') || word.parse::<f64>().is_ok());
                if !(word.contains('=') || PREFIXES.contains(&program) || is_option) {
                    break;
                }
            }
            names.push(words.join(" "));
        }
        names
    }
}

struct Parser<'a> {
    text: std::iter::Peekable<std::str::Chars<'a>>,
    shell: Shell,
}

impl Parser<'_> {
    /// Reads commands up to this character, or the end.
    fn run(&mut self, end: Option<char>) {
        let (mut words, mut word): (Vec<String>, Option<String>) = (Vec::new(), None);
        while let Some(c) = self.text.next() {
            if Some(c) == end {
                break;
            }
            match c {
                '\'' => self.quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '\\' => {
                    // An escaped line break joins lines; the rest of escapes keeps its character.
                    if let Some(escaped) = self.text.next().filter(|c| *c != '\n') {
                        word.get_or_insert_default().push(escaped);
                    }
                }
                '$' => self.expansion(&mut word),
                '`' => self.nested('`'),
                ' ' | '\t' => words.extend(word.take()),
                ';' | '|' | '&' | '\n' | '\r' | '(' | ')' | '{' | '}' | '!' => {
                    self.shell.is_plain = false;
                    words.extend(word.take());
                    self.end_command(&mut words);
                }
                '<' | '>' => {
                    self.shell.is_plain = false;
                    words.extend(word.take());
                }
                '#' if word.is_none() => {
                    self.shell.is_plain = false;
                    word = Some("#".to_owned());
                }
                c => {
                    self.shell.is_plain &= !c.is_control();
                    word.get_or_insert_default().push(c);
                }
            }
        }
        words.extend(word);
        self.end_command(&mut words);
    }

    fn end_command(&mut self, words: &mut Vec<String>) {
        if !words.is_empty() {
            self.shell.commands.push(std::mem::take(words));
        }
    }

    fn quoted(&mut self, word: &mut Option<String>) {
        let word = word.get_or_insert_default();
        loop {
            match self.text.next() {
                Some('\'') => return,
                Some(c) => word.push(c),
                None => return self.shell.is_plain = false,
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Option<String>) {
        word.get_or_insert_default();
        loop {
            match self.text.next() {
                Some('"') => return,
                Some('\\') => {
                    if let Some(c) = self.text.next().filter(|c| *c != '\n') {
                        word.get_or_insert_default().push(c);
                    }
                }
                Some('$') => self.expansion(word),
                Some('`') => self.nested('`'),
                Some(c) => word.get_or_insert_default().push(c),
                None => return self.shell.is_plain = false,
            }
        }
    }

    /// What follows a `$`. Its value is not known.
    fn expansion(&mut self, word: &mut Option<String>) {
        self.shell.is_plain = false;
        if self.text.next_if_eq(&'(').is_some() {
            return self.nested(')');
        }
        word.get_or_insert_default().push('$');
    }

    /// A substitution: its commands run, too.
    fn nested(&mut self, end: char) {
        self.shell.is_plain = false;
        self.run(Some(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_all_that_it_does_is_plain() {
        for (command, plain) in [
            ("ls", "ls"),
            ("ls  -la\t'a b'", "ls -la a b"),
            ("git commit -m \"one; two\"", "git commit -m one; two"),
            ("l\\s -la", "ls -la"),
            ("ls *.rs", "ls *.rs"),
        ] {
            assert_eq!(Shell::parse(command).plain().as_deref(), Some(plain), "{command}");
        }
        for command in [
            "",
            "ls; rm -rf /",
            "ls;rm",
            "ls && rm x",
            "ls || rm x",
            "ls | sh",
            "ls & rm x",
            "ls\nrm x",
            "ls\r\nrm x",
            "ls $(rm x)",
            "ls `rm x`",
            "ls \"$(rm x)\"",
            "ls \"`rm x`\"",
            "ls > x",
            "ls >x",
            "ls < x",
            "ls <(rm x)",
            "(ls)",
            "{ ls; }",
            "ls $HOME",
            "ls ${x:-$(rm x)}",
            "ls 'a",
            "ls \"a",
            "PATH=. ls",
            "! ls",
            "ls # x",
            "'ls -la' x",
            "\"ls \"x",
            "ls \u{0}",
            "ls \\\n; rm",
            "~/ls",
        ] {
            assert_eq!(Shell::parse(command).plain(), None, "{command:?}");
        }
    }

    #[test]
    fn every_command_is_found() {
        for command in [
            "rm x",
            "ls; rm x",
            "ls;rm x",
            "ls && rm x",
            "ls || rm x",
            "ls | rm x",
            "ls & rm x",
            "ls\nrm x",
            "ls $(rm x)",
            "ls \"$(rm x)\"",
            "ls `rm x`",
            "(rm x)",
            "{ rm x; }",
            "/bin/rm x",
            "r''m x",
            "r\\m x",
            "\"rm\" x",
            "sudo rm x",
            "sudo -n rm x",
            "env A=b rm x",
            "A=b rm x",
            "nice -n 5 rm x",
            "timeout 5 rm x",
            "bash -c 'rm x'",
            "bash -c \"ls; rm x\"",
            "eval 'rm x'",
            "if a; then rm x; fi",
            "for a in b; do rm x; done",
            "! rm x",
            "ls $(echo $(rm x))",
            "r\\\nm x",
            "command rm x",
            "ls <(rm x)",
        ] {
            let names = Shell::parse(command).names();
            assert!(names.iter().any(|name| name.starts_with("rm x")), "{command:?}: {names:?}");
        }
        for command in ["ls rm x", "echo 'rm x'", "git commit -m 'rm x'", "rmdir x"] {
            let names = Shell::parse(command).names();
            assert!(!names.iter().any(|name| name.starts_with("rm ")), "{command:?}: {names:?}");
        }
    }
}
