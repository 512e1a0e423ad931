//! Times, numbers and names, as people read them.

use std::borrow::Cow;

/// "1:15.4", "1:02:03.4": seconds rounded to tenths.
pub fn time(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds = format!("{:02}.{}", tenths / 10, tenths % 10);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}:{seconds}"),
        (hours, minutes) => format!("{hours}:{minutes:02}:{seconds}"),
    }
}

/// "0:15.0 - 0:30.0".
pub fn stretch(start: f64, end: f64) -> String {
    format!("{} - {}", time(start), time(end))
}

/// `name` with control characters, and those that turn the direction of writing, spelt out: whoever
/// names a file must not command the terminal, nor make one line look like two.
pub fn printable(name: &str) -> Cow<'_, str> {
    let dangerous =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !name.contains(dangerous) {
        return Cow::Borrowed(name);
    }
    let mut text = String::new();
    for c in name.chars() {
        match dangerous(c) {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// "1 match", "3 matches", "1 file", "0 files".
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_command_the_terminal() {
        let check = |name: &str, want: &str| assert_eq!(printable(name), want);
        check("Füße – 足.mp3", "Füße – 足.mp3");
        check("a\u{1b}[31mb\u{7}", "a\\u{1b}[31mb\\u{7}");
        check("two\nlines\u{9b}", "two\\nlines\\u{9b}");
        check("gpj.\u{202e}3pm", "gpj.\\u{202e}3pm");
    }

    #[test]
    fn times_are_rounded_before_they_are_split() {
        let check = |seconds: f64, want: &str| assert_eq!(time(seconds), want);
        check(0.0, "0:00.0");
        check(-0.04, "0:00.0");
        check(59.96, "1:00.0");
        check(75.43, "1:15.4");
        check(3599.99, "1:00:00.0");
        check(3723.4, "1:02:03.4");
    }
}
