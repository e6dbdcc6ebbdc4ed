// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// A thread that runs one function and can be joined (pthreads(7)).
///
/// A `Failure` that the function throws comes out of `join()`, so that no thread fails unseen.
public final class Thread: Sendable {
    private let task: Task
    private let handle: UInt

    /// Starts a thread.
    public init(_ body: @escaping @Sendable () throws(Failure) -> Void) throws(Failure) {
        let task = Task(body)
        self.task = task
        var identifier = pthread_t()
        let argument = Unmanaged.passRetained(task)
        let code = pthread_create(
            &identifier,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Task>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument.toOpaque()
        )
        handle = UInt(identifier)
        if code != 0 {
            argument.release()
            throw Failure(call: "pthread_create", code: code)
        }
        // The id is there once the thread runs; who signals it, or reads its /proc entry, needs it.
        while task.kernelID == 0 { sched_yield() }
    }

    /// The thread's id in the kernel (gettid(2)).
    public var kernelID: Int32 { Int32(truncatingIfNeeded: task.kernelID) }

    /// Waits for the function to return and throws what it threw. Call it once.
    public func join() throws(Failure) {
        let code = pthread_join(pthread_t(handle), nil)
        if code != 0 { throw Failure(call: "pthread_join", code: code) }
        try task.rethrow()
    }

    /// Whether the function has returned.
    public var isFinished: Bool { task.isFinished }

    /// Sends the thread a signal (pthread_kill(3)).
    public func signal(_ number: Int32) throws(Failure) {
        let code = pthread_kill(pthread_t(handle), number)
        if code != 0 { throw Failure(call: "pthread_kill", code: code) }
    }
}

/// What a thread and who joins it share. The words are atomic; `failure` is written before the
/// function ends and read after pthread_join(3).
private final class Task: @unchecked Sendable {
    private let body: @Sendable () throws(Failure) -> Void
    private let words = Words(2)
    private var failure: Failure?

    init(_ body: @escaping @Sendable () throws(Failure) -> Void) {
        self.body = body
    }

    var kernelID: UInt64 { words[0] }
    var isFinished: Bool { words[1] == 1 }

    func run() {
        words[0] = UInt64(cuffd_syscall(Int(SYS_gettid), 0, 0, 0, 0, 0, 0))
        do throws(Failure) {
            try body()
        } catch {
            failure = error
        }
        words[1] = 1
    }

    func rethrow() throws(Failure) {
        if let failure { throw failure }
    }
}

/// A few 64-bit words that threads share; each access is atomic and sequentially consistent.
public final class Words: Sendable {
    private let base: UInt
    private let count: Int

    /// Allocates `count` words of zero.
    public init(_ count: Int) {
        let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        memory.initialize(repeating: 0, count: count)
        base = UInt(bitPattern: memory)
        self.count = count
    }

    deinit {
        UnsafeMutablePointer<UInt64>(bitPattern: base)?.deallocate()
    }

    /// A word; an index out of range ends the process.
    public subscript(index: Int) -> UInt64 {
        get {
            precondition(index >= 0 && index < count)
            return cuffd_load64(base + UInt(index) * 8)
        }
        set(value) {
            precondition(index >= 0 && index < count)
            cuffd_store64(base + UInt(index) * 8, value)
        }
    }

    /// Adds to a word and gives what it was before.
    @discardableResult
    public func add(_ value: UInt64, at index: Int) -> UInt64 {
        precondition(index >= 0 && index < count)
        return cuffd_fetch_add64(base + UInt(index) * 8, value)
    }

    /// Blocks while a word has a value, as long as nobody calls `wakeAll(at:)` after changing it (futex(2)).
    public func wait(while value: UInt64, at index: Int) {
        while self[index] == value { cuffd_futex_wait(base + UInt(index) * 8, value) }
    }

    /// Wakes the threads that wait for a change of a word.
    public func wakeAll(at index: Int) {
        precondition(index >= 0 && index < count)
        cuffd_futex_wake_all(base + UInt(index) * 8)
    }
}
