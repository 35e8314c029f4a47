//! This module reads numbers and strings as the opcodes spell them.

use std::borrow::Cow;

use super::Value;
use super::cursor::Cursor;
use super::opcode::*;
use crate::{Fault, quote};

/// The number that follows the opcode `code`, which lies at `at`.
pub(super) fn number<'a>(code: u8, at: u64, cursor: &mut Cursor<'a>) -> Result<Value<'a>, Fault> {
    Ok(match code {
        BINFLOAT => Value::Float(f64::from_be_bytes(cursor.array("a float")?)),
        BININT1 => Value::Int(cursor.byte("an integer")?.into()),
        BININT2 => Value::Int(u16::from_le_bytes(cursor.array("an integer")?).into()),
        BININT => Value::Int(i32::from_le_bytes(cursor.array("an integer")?).into()),
        LONG1 => long(cursor.counted(1, "an integer")?),
        LONG4 => long(cursor.counted(4, "an integer")?),
        _ => return decimal(code, cursor.line("a number")?, at),
    })
}

/// An integer in two's complement, little-endian.
fn long<'a>(bytes: &[u8]) -> Value<'a> {
    if bytes.len() > 8 {
        return Value::LargeInt;
    }
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

/// A line of protocol 0: `INT`, which also spells booleans, `LONG` or `FLOAT`.
fn decimal<'a>(code: u8, line: &[u8], at: u64) -> Result<Value<'a>, Fault> {
    let text = String::from_utf8_lossy(line);
    let wrong = || Fault::new(at, "a number in decimal digits", quote(&text));
    match (code, &*text) {
        (FLOAT, text) => text.parse().map(Value::Float).map_err(|_| wrong()),
        (INT, "00") => Ok(Value::Bool(false)),
        (INT, "01") => Ok(Value::Bool(true)),
        (_, text) => {
            let digits = text.strip_suffix('L').unwrap_or(text);
            let unsigned = digits.strip_prefix('-').unwrap_or(digits);
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            Ok(digits.parse().map_or(Value::LargeInt, Value::Int))
        }
    }
}

/// The string or the bytes that follow the opcode `code`, which lies at `at`.
///
/// Text that is not UTF-8 (Python's can hold half of a surrogate pair) is kept as bytes.
pub(super) fn string<'a>(code: u8, at: u64, cursor: &mut Cursor<'a>) -> Result<Value<'a>, Fault> {
    let width = match code {
        SHORT_BINSTRING | SHORT_BINBYTES | SHORT_BINUNICODE => 1,
        BINSTRING | BINBYTES | BINUNICODE => 4,
        BINUNICODE8 | BINBYTES8 | BYTEARRAY8 => 8,
        UNICODE => return Ok(unicode(cursor.line("a string")?)),
        _ => return quoted(cursor.line("a string")?, at),
    };
    let bytes = cursor.counted(width, "a string")?;
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) if matches!(code, SHORT_BINUNICODE | BINUNICODE | BINUNICODE8) => {
            Value::Text(text.into())
        }
        _ => Value::Bytes(bytes.into()),
    })
}

/// A line of protocol 0 in Python's raw-unicode-escape: Latin-1, with `\u` and `\U`.
fn unicode<'a>(line: &[u8]) -> Value<'a> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let width = match (byte, tail.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        match tail.get(1..1 + width).filter(|digits| !digits.is_empty()).and_then(hex_char) {
            Some(char) => {
                text.push(char);
                rest = &tail[1 + width..];
            }
            None => {
                text.push(char::from(byte));
                rest = tail;
            }
        }
    }
    Value::Text(Cow::Owned(text))
}

fn hex_char(digits: &[u8]) -> Option<char> {
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // Half of a surrogate pair is no character of its own.
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// A line of protocol 0 as Python 2 prints a string: in quotes, with escapes.
fn quoted<'a>(line: &[u8], at: u64) -> Result<Value<'a>, Fault> {
    let wrong = || Fault::new(at, "a string in quotes", quote(&String::from_utf8_lossy(line)));
    let (&mark, inner) = line.split_first().ok_or_else(wrong)?;
    let inner = inner.strip_suffix(&[mark]).ok_or_else(wrong)?;
    if mark != b'\'' && mark != b'"' {
        return Err(wrong());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or_else(wrong)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
                let text = std::str::from_utf8(&digits).map_err(|_| wrong())?;
                u8::from_str_radix(text, 16).map_err(|_| wrong())?
            }
            other @ (b'\\' | b'\'' | b'"') => other,
            _ => return Err(wrong()),
        });
    }
    Ok(Value::Bytes(Cow::Owned(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &[u8]) -> String {
        match unicode(line) {
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unicode_lines_are_latin1_with_escapes() {
        assert_eq!(text(b"a\xff\\u20ac\\U0001f600\\x41"), "aÿ€😀\\x41");
        assert_eq!(text(b"\\u12"), "\\u12");
        assert_eq!(text(b"\\ud800"), "\u{fffd}");
        assert_eq!(text(b"\\u005c\\"), "\\\\");
    }

    #[test]
    fn quoted_lines_are_unescaped() {
        let bytes = |line: &[u8]| match quoted(line, 0) {
            Ok(Value::Bytes(bytes)) => Some(bytes.into_owned()),
            _ => None,
        };
        assert_eq!(bytes(b"'a\\x00\\'\\\\\\n\xff'").unwrap(), b"a\x00'\\\n\xff");
        assert_eq!(bytes(b"\"it's\"").unwrap(), b"it's");
        for bad in [&b""[..], b"'", b"abc", b"'a\"", b"'\\x0'", b"'\\'", b"'\\q'"] {
            assert_eq!(bytes(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn decimal_lines_are_numbers_or_booleans() {
        for (code, line, shown) in [
            (INT, "12", "Int(12)"),
            (INT, "01", "Bool(true)"),
            (LONG, "-5L", "Int(-5)"),
            (LONG, "1000000000000000000000L", "LargeInt"),
            (FLOAT, "-2.5e3", "Float(-2500.0)"),
            (FLOAT, "nan", "Float(NaN)"),
        ] {
            assert_eq!(format!("{:?}", decimal(code, line.as_bytes(), 0).unwrap()), shown);
        }
        for (code, line) in [(INT, ""), (INT, "1x"), (LONG, "L"), (FLOAT, "one"), (INT, "+-1")] {
            assert!(decimal(code, line.as_bytes(), 0).is_err(), "{line}");
        }
    }
}
