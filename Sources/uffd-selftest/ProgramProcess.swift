// SPDX-License-Identifier: GPL-2.0-only

import CUserfaultfd
import Scenarios
import Userfaultfd

/// The process that stands in a scenario's place where a program runs: it starts the program and tells how it ended.
///
/// What the program prints goes where a scenario's text goes. A test of the kernel may end its whole process group or put
/// itself into another, so this process is neither the program nor of its group.
enum ProgramProcess {
    /// Runs the program and tells how it went; returns the exit status of this process.
    static func run(_ program: Program, _ records: Output) -> Int32 {
        do throws(Failure) {
            let child = try Child { () throws(Failure) in
                // Who kills this process wants the program to end with it.
                _ = cuffd_prctl(PR_SET_PDEATHSIG, UInt(SIGKILL), 0)
                setpgid(0, 0)
                throw Failure(call: "execution of \(program.path)", code: execute(program))
            }
            try judge(try child.wait(), records)
        } catch {
            records.line(ChildReport.failure(error.message))
        }
        records.line(ChildReport.done(traps: 0))
        return 0
    }

    private static func judge(_ end: Child.End, _ records: Output) throws(Failure) {
        switch end {
        case .exited(let status):
            switch Program.outcome(ofStatus: status) {
            case .passed: return
            case .skipped(let reason): records.line(ChildReport.skip(reason.text))
            case .failed: throw Failure("exit status \(status)")
            }
        case .killed(let signal): throw Failure("\(signalName(signal)) ended it")
        }
    }

    /// Becomes the program; returns the error number where that fails.
    private static func execute(_ program: Program) -> Int32 {
        if chdir(program.folder) != 0 { return cuffd_errno() }
        let file = String(decoding: Array(program.path.utf8.dropFirst(program.folder.utf8.count)), as: UTF8.self)
        // "./NAME", as kselftest's runner calls it: some tests run themselves again by this name.
        let name = file.begins(with: "/") ? ".\(file)" : "./\(file)"
        var words: [UnsafeMutablePointer<CChar>?] = []
        for word in [name] + program.arguments { words.append(strdup(word)) }
        words.append(nil)
        return -cuffd_exec_list(name, words)
    }
}
