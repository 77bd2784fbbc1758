//! Whether a piece of XML is well-formed: enough of the rules for configuration files, and nothing is let through that a parser
//! would refuse.

/// Checks the whole text: one root element, around it only comments and white space.
pub fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        content(before, !open.is_empty())?;
        if let Some(comment) = tag.strip_prefix("<!--") {
            let (inside, after) = comment.split_once("-->").ok_or("a comment has no end")?;
            if inside.contains("--") || inside.ends_with('-') {
                return Err(format!("-- in the comment \"{inside}\""));
            }
            rest = after;
            continue;
        }
        let (inside, after) = until_end(&tag[1..])?;
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            let name = name.trim_end();
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let (element, empty) = inside
            .strip_suffix('/')
            .map_or((inside, false), |inside| (inside, true));
        let name = element
            .split(|c: char| c.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        attributes(name, &element[name.len()..])?;
        if open.is_empty() {
            roots += 1;
        }
        if !empty {
            open.push(name);
        }
    }
    content(rest, !open.is_empty())?;
    match (open.last(), roots) {
        (Some(name), _) => Err(format!("<{name}> is not closed")),
        (None, 1) => Ok(()),
        (None, roots) => Err(format!("{roots} root elements")),
    }
}

/// What stands before the `>` that ends a tag, and what follows it; a `>` in quotes ends nothing.
fn until_end(tag: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return Ok((&tag[..at], &tag[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (None | Some(_), '<') => return Err(format!("< in the tag \"{}\"", &tag[..at])),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    Err(format!("the tag \"{tag}\" has no end"))
}

fn attributes(element: &str, text: &str) -> Result<(), String> {
    name(element)?;
    let mut seen = Vec::new();
    let mut rest = text;
    while !rest.trim_start().is_empty() {
        let trimmed = rest.trim_start();
        if trimmed.len() == rest.len() {
            return Err(format!("no space before \"{trimmed}\""));
        }
        let (key, value) = trimmed
            .split_once('=')
            .ok_or_else(|| format!("\"{trimmed}\" has no value"))?;
        name(key)?;
        if seen.contains(&key) {
            return Err(format!("<{element}> has {key} twice"));
        }
        seen.push(key);
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or_else(|| format!("the value of {key} is not quoted"))?;
        let (inside, after) = value[1..]
            .split_once(quote)
            .ok_or_else(|| format!("the value of {key} has no end"))?;
        references(inside)?;
        rest = after;
    }
    Ok(())
}

fn name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
        Ok(())
    } else {
        Err(format!("\"{name}\" is no name"))
    }
}

fn content(text: &str, inside: bool) -> Result<(), String> {
    if !inside && !text.trim().is_empty() {
        return Err(format!("\"{}\" outside the root element", text.trim()));
    }
    references(text)
}

fn references(text: &str) -> Result<(), String> {
    for rest in text.split('&').skip(1) {
        let entity = rest.split_once(';').map(|(entity, _)| entity);
        if !entity.is_some_and(|entity| ["amp", "lt", "gt", "quot", "apos"].contains(&entity)) {
            return Err(format!("a bare & before \"{rest}\""));
        }
    }
    Ok(())
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for good in [
        "<a/>",
        "<a b=\"1\" c='>'><!-- d --><e>f &amp; g</e></a>\n",
        "<!-- a --><list name=\"b\"></list>",
    ] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "a",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a><b></a></b>",
        "<a b=1/>",
        "<a b/>",
        "<a b=\"1\" b=\"2\"/>",
        "<a b=\"1\"c=\"2\"/>",
        "<a b=\"<\"/>",
        "<a b=\"&\"/>",
        "<a><!-- -- --></a>",
        "<a><!-- </a>",
        "<a b=\"1/>",
        "<a/>b",
        "<1/>",
    ] {
        assert!(check(bad).is_err(), "{bad}");
    }
}
