// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd

/// A forked child process (fork(2)).
public struct Child: Sendable {
    /// The child's process id.
    public let identifier: Int32

    /// Forks; the child runs `body` and exits with what it returns, or with 125 after a `Failure`, which it writes to
    /// standard error. Only the calling thread lives on in the child.
    @inline(never)
    public init(_ body: () throws(Failure) -> Int32) throws(Failure) {
        identifier = try checked("fork", cuffd_fork())
        guard identifier == 0 else { return }
        do throws(Failure) {
            _exit(try body())
        } catch {
            let bytes = Array("in a child: \(error.message)\n".utf8)
            _ = CUserfaultfd.write(2, bytes, bytes.count)
            _exit(125)
        }
    }

    /// How a child ended.
    public enum End: Sendable, Equatable {
        /// It exited with this status.
        case exited(Int32)
        /// This signal killed it.
        case killed(signal: Int32)
    }

    /// Waits for the child to end. Call it once.
    public func wait() throws(Failure) -> End {
        var status: Int32 = 0
        while true {
            let result = waitpid(identifier, &status, 0)
            if result == identifier { break }
            if result < 0 && cuffd_errno() != EINTR { throw Failure(call: "waitpid", code: cuffd_errno()) }
        }
        return End(status: status)
    }

    /// Waits for the child to end; anything but exit status 0 is a failure.
    public func waitForSuccess() throws(Failure) {
        switch try wait() {
        case .exited(0): return
        case .exited(let status): throw Failure("a child exited with status \(status)")
        case .killed(let signal): throw Failure("signal \(signal) killed a child")
        }
    }

    /// Sends the child a signal (kill(2)).
    public func signal(_ number: Int32) throws(Failure) {
        if kill(identifier, number) != 0 { throw Failure(call: "kill", code: cuffd_errno()) }
    }
}

extension Child.End {
    /// What waitpid(2) said.
    public init(status: Int32) {
        self =
            cuffd_signaled(status) != 0
            ? .killed(signal: cuffd_term_signal(status))
            : .exited(cuffd_exit_code(status))
    }
}
