//! Natural numbers as the generation of digits needs them: of any size, and of 128 bits, which is enough for most.

use std::cmp::Ordering;

/// What the long division does with numbers.
pub(super) trait Number: Clone {
    /// The number times a factor, which stays within its size.
    fn multiply(&mut self, factor: u32);
    /// The number times a power of two, which stays within its size.
    fn shift_left(&mut self, bits: i32);
    fn compare(&self, other: &Self) -> Ordering;
    fn add(&mut self, other: &Self);
    /// The quotient by a divisor that is contained at most nine times; the rest stays.
    fn divide_once(&mut self, divisor: &Self) -> u8;
}

impl Number for u128 {
    fn multiply(&mut self, factor: u32) {
        *self *= Self::from(factor);
    }

    fn shift_left(&mut self, bits: i32) {
        *self <<= bits;
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn divide_once(&mut self, divisor: &Self) -> u8 {
        let mut quotient = 0;
        while *self >= *divisor && quotient < 10 {
            *self -= divisor;
            quotient += 1;
        }
        quotient
    }
}

/// A natural number of any size, in words of 32 bits, the least first.
#[derive(Clone)]
pub(super) struct Natural(Vec<u32>);

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut number = Self(vec![value as u32, (value >> 32) as u32]);
        number.trim();
        number
    }
}

impl Natural {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    pub(super) fn multiply_by_power_of_5(&mut self, mut exponent: i32) {
        while exponent > 0 {
            let step = exponent.min(13);
            self.multiply(5_u32.pow(step as u32));
            exponent -= step;
        }
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0_i64;
        for (place, word) in self.0.iter_mut().enumerate() {
            let subtrahend = other.0.get(place).copied().unwrap_or(0);
            let difference = i64::from(*word) - i64::from(subtrahend) + borrow;
            *word = difference as u32;
            borrow = difference >> 32;
        }
        self.trim();
    }
}

impl Number for Natural {
    fn multiply(&mut self, factor: u32) {
        let mut carry = 0_u64;
        for word in &mut self.0 {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, bits: i32) {
        let (words, bits) = (bits as usize / 32, bits as u32 % 32);
        if bits > 0 {
            self.multiply(1 << bits);
        }
        if words > 0 && !self.0.is_empty() {
            self.0.splice(0..0, std::iter::repeat_n(0, words));
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        let mut carry = 0_u64;
        for (place, word) in self.0.iter_mut().enumerate() {
            let addend = other.0.get(place).copied().unwrap_or(0);
            let sum = u64::from(*word) + u64::from(addend) + carry;
            *word = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn divide_once(&mut self, divisor: &Self) -> u8 {
        let mut quotient = 0;
        while self.compare(divisor) != Ordering::Less && quotient < 10 {
            self.subtract(divisor);
            quotient += 1;
        }
        quotient
    }
}
