// SPDX-License-Identifier: GPL-2.0-only

extension AcceleratorChoice {
    /// In one sentence, what this choice would run `machine` on here, and why: for `rwp doctor`.
    public func verdict(for machine: MachineDescription) -> String {
        do throws(MachineError) {
            let plan = try HostVirtualisation.current.plan(for: machine, choice: self)
            if let note = plan.note { return note }
            let fallback = plan.fallback.map { "; should it not work, \($0.rawValue.uppercased())" } ?? ""
            return "virtual machines run on \(plan.first.rawValue.uppercased())\(fallback)"
        } catch {
            return error.description
        }
    }
}
