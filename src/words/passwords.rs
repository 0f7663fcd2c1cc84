//! Why a password is refused, and how to choose a better one.

use zxcvbn::feedback::{Suggestion, Warning};

use crate::auth::WeakPassword;

/// The sentences about a refused password.
pub(crate) fn weak(weak: &WeakPassword) -> String {
    match weak {
        WeakPassword::TooShort { min } => make_longer(*min),
        WeakPassword::Guessable { warning, suggestions, min } => {
            let mut sentences = vec!["This password is too easy to guess.".to_owned()];
            sentences.extend(warning.map(|warning| explain(warning).to_owned()));
            sentences.extend(suggestions.iter().map(|suggestion| suggest(*suggestion).to_owned()));
            sentences.extend(min.map(make_longer));
            if sentences.len() == 1 {
                sentences.push("Make it longer: add another word or two.".to_owned());
            }
            sentences.join(" ")
        }
    }
}

fn make_longer(min: usize) -> String {
    format!("Make it longer: use at least {min} characters.")
}

fn explain(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess => "Straight rows of keys are easy to guess.",
        Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "Short keyboard patterns are easy to guess."
        }
        Warning::RepeatsLikeAaaAreEasyToGuess => "Repeats like “aaa” are easy to guess.",
        Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "Repeats like “abcabcabc” are only slightly harder to guess than “abc”."
        }
        Warning::ThisIsATop10Password => "It is one of the 10 most common passwords.",
        Warning::ThisIsATop100Password => "It is one of the 100 most common passwords.",
        Warning::ThisIsACommonPassword => "It is a very common password.",
        Warning::ThisIsSimilarToACommonlyUsedPassword => "It is similar to a common password.",
        Warning::SequencesLikeAbcAreEasyToGuess => {
            "Sequences like “abc” or “6543” are easy to guess."
        }
        Warning::RecentYearsAreEasyToGuess => "Recent years are easy to guess.",
        Warning::AWordByItselfIsEasyToGuess => "A word by itself is easy to guess.",
        Warning::DatesAreOftenEasyToGuess => "Dates are often easy to guess.",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess => {
            "Names and surnames by themselves are easy to guess."
        }
        Warning::CommonNamesAndSurnamesAreEasyToGuess => {
            "Common names and surnames are easy to guess."
        }
    }
}

fn suggest(suggestion: Suggestion) -> &'static str {
    match suggestion {
        Suggestion::UseAFewWordsAvoidCommonPhrases => "Use a few words, but not a common phrase.",
        Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => {
            "You do not need symbols, digits or capital letters."
        }
        Suggestion::AddAnotherWordOrTwo => "Add another word or two. Uncommon words are better.",
        Suggestion::CapitalizationDoesntHelpVeryMuch => "Capital letters do not help much.",
        Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => {
            "All capital letters are almost as easy to guess as all small letters."
        }
        Suggestion::ReversedWordsArentMuchHarderToGuess => {
            "Reversed words are not much harder to guess."
        }
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => {
            "Predictable substitutions like “@” for “a” do not help much."
        }
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => {
            "Use a longer keyboard pattern with more turns."
        }
        Suggestion::AvoidRepeatedWordsAndCharacters => "Avoid repeated words and characters.",
        Suggestion::AvoidSequences => "Avoid sequences.",
        Suggestion::AvoidRecentYears => "Avoid recent years.",
        Suggestion::AvoidYearsThatAreAssociatedWithYou => "Avoid years that have to do with you.",
        Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => {
            "Avoid dates and years that have to do with you."
        }
    }
}
