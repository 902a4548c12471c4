//! Hash tables that map what was seen before to a small number. Their seeds are secret: senders choose what comes in, and
//! could choose what all comes to lie in one place.

const std = @import("std");

/// Maps byte strings, which it copies, to the numbers 0, 1, 2, … in the order of their coming.
pub const Names = struct {
    const Slot = struct { hash: u64 = 0, number: u32 = none };
    pub const none = std.math.maxInt(u32);

    arena: std.heap.ArenaAllocator,
    seed: u64,
    slots: []Slot = &.{},
    names: std.ArrayList([]const u8) = .empty,

    pub fn init(allocator: std.mem.Allocator, seed: u64) Names {
        return .{ .arena = .init(allocator), .seed = seed };
    }

    pub fn deinit(names: *Names) void {
        names.arena.deinit();
    }

    /// Return the number of a name, a new one where it has none.
    pub fn number(names: *Names, name: []const u8) error{OutOfMemory}!u32 {
        if ((names.names.items.len + 1) * 2 > names.slots.len) try names.grow();
        const hash = std.hash.Wyhash.hash(names.seed, name);
        const slot = names.find(hash, name);
        if (slot.number == none) {
            const allocator = names.arena.allocator();
            try names.names.append(allocator, try allocator.dupe(u8, name));
            slot.* = .{ .hash = hash, .number = @intCast(names.names.items.len - 1) };
        }
        return slot.number;
    }

    fn find(names: *Names, hash: u64, name: []const u8) *Slot {
        var at: usize = @intCast(hash & (names.slots.len - 1));
        while (true) : (at = (at + 1) & (names.slots.len - 1)) {
            const slot = &names.slots[at];
            if (slot.number == none) return slot;
            if (slot.hash == hash and std.mem.eql(u8, names.names.items[slot.number], name)) return slot;
        }
    }

    fn grow(names: *Names) error{OutOfMemory}!void {
        const larger = try names.arena.allocator().alloc(Slot, @max(256, names.slots.len * 2));
        @memset(larger, .{});
        for (names.slots) |slot| {
            if (slot.number == none) continue;
            var at: usize = @intCast(slot.hash & (larger.len - 1));
            while (larger[at].number != none) at = (at + 1) & (larger.len - 1);
            larger[at] = slot;
        }
        names.slots = larger;
    }
};

/// Maps 128-bit keys, ids or hashes, to numbers.
pub const Numbers = struct {
    pub const Key = [2]u64;
    const Slot = struct { key: Key = .{ 0, 0 }, number: u32 = none };
    pub const none = std.math.maxInt(u32);

    allocator: std.mem.Allocator,
    seed: u64,
    slots: []Slot = &.{},
    count: usize = 0,

    pub fn init(allocator: std.mem.Allocator, seed: u64) Numbers {
        return .{ .allocator = allocator, .seed = seed };
    }

    pub fn deinit(numbers: *Numbers) void {
        numbers.allocator.free(numbers.slots);
    }

    /// Return the place of a key's number, which is `none` where the key is new. It is the caller's to fill then.
    pub fn at(numbers: *Numbers, key: Key) error{OutOfMemory}!*u32 {
        if ((numbers.count + 1) * 2 > numbers.slots.len) try numbers.resize(@max(1024, numbers.slots.len * 2), 0);
        const slot = numbers.place(numbers.slots, key);
        if (slot.number == none) {
            slot.key = key;
            numbers.count += 1;
        }
        return &slot.number;
    }

    /// Make room for as many keys.
    pub fn reserve(numbers: *Numbers, count: usize) error{OutOfMemory}!void {
        const size = std.math.ceilPowerOfTwo(usize, @max(1024, (count + 1) * 2)) catch return error.OutOfMemory;
        if (size > numbers.slots.len) try numbers.resize(size, 0);
    }

    /// Forget keys whose numbers are below the least; to forget all cannot fail.
    pub fn forget(numbers: *Numbers, least: u32) error{OutOfMemory}!void {
        if (least == none) {
            @memset(numbers.slots, .{});
            numbers.count = 0;
            return;
        }
        try numbers.resize(numbers.slots.len, least);
    }

    fn resize(numbers: *Numbers, size: usize, least: u32) error{OutOfMemory}!void {
        const other = try numbers.allocator.alloc(Slot, size);
        @memset(other, .{});
        var count: usize = 0;
        for (numbers.slots) |slot| {
            if (slot.number == none or slot.number < least) continue;
            numbers.place(other, slot.key).* = slot;
            count += 1;
        }
        numbers.allocator.free(numbers.slots);
        numbers.slots = other;
        numbers.count = count;
    }

    fn place(numbers: *const Numbers, slots: []Slot, key: Key) *Slot {
        const product = std.math.mulWide(u64, key[0] ^ numbers.seed, key[1] ^ std.math.rotl(u64, numbers.seed, 32));
        const spread = @as(u64, @truncate(product)) ^ @as(u64, @truncate(product >> 64));
        var position: usize = @intCast(spread & (slots.len - 1));
        while (true) : (position = (position + 1) & (slots.len - 1)) {
            const slot = &slots[position];
            if (slot.number == none or std.meta.eql(slot.key, key)) return slot;
        }
    }
};
