//! Numbers as Python writes them.

const std = @import("std");

const Allocator = std.mem.Allocator;
const List = std.ArrayList(u8);

pub fn appendInteger(data: *List, allocator: Allocator, number: i64) error{OutOfMemory}!void {
    var digits: [20]u8 = undefined;
    var first: usize = digits.len;
    var rest = @abs(number);
    while (true) {
        first -= 1;
        digits[first] = '0' + @as(u8, @intCast(rest % 10));
        rest /= 10;
        if (rest == 0) break;
    }
    if (number < 0) {
        first -= 1;
        digits[first] = '-';
    }
    try data.appendSlice(allocator, digits[first..]);
}

/// The shortest digits that are read back as the same number; an exponent where Python's `repr` has one. What is no
/// number is a word, as in OTLP's JSON.
pub fn appendDouble(data: *List, allocator: Allocator, number: f64) error{OutOfMemory}!void {
    if (std.math.isNan(number)) return data.appendSlice(allocator, "NaN");
    if (std.math.signbit(number)) try data.append(allocator, '-');
    if (std.math.isInf(number)) return data.appendSlice(allocator, "Infinity");
    var buffer: [64]u8 = undefined;
    // One digit, the point and the others if there are any, `e`, the exponent.
    const scientific = std.fmt.bufPrint(&buffer, "{e}", .{@abs(number)}) catch unreachable;
    const mark = std.mem.indexOfScalar(u8, scientific, 'e') orelse unreachable;
    const exponent = std.fmt.parseInt(i32, scientific[mark + 1 ..], 10) catch unreachable;
    var digits: [32]u8 = undefined;
    var count: usize = 0;
    for (scientific[0..mark]) |character| {
        if (character == '.') continue;
        digits[count] = character;
        count += 1;
    }
    if (exponent < -4 or exponent >= 16) {
        try data.append(allocator, digits[0]);
        if (count > 1) {
            try data.append(allocator, '.');
            try data.appendSlice(allocator, digits[1..count]);
        }
        try data.appendSlice(allocator, if (exponent < 0) "e-" else "e+");
        if (@abs(exponent) < 10) try data.append(allocator, '0');
        return appendInteger(data, allocator, @abs(exponent));
    }
    if (exponent < 0) {
        try data.appendSlice(allocator, "0.");
        try data.appendNTimes(allocator, '0', @intCast(-exponent - 1));
        return data.appendSlice(allocator, digits[0..count]);
    }
    const whole: usize = @intCast(exponent + 1);
    try data.appendSlice(allocator, digits[0..@min(whole, count)]);
    if (whole >= count) {
        try data.appendNTimes(allocator, '0', whole - count);
        return data.appendSlice(allocator, ".0");
    }
    try data.append(allocator, '.');
    try data.appendSlice(allocator, digits[whole..count]);
}
