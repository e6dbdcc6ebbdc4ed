// SPDX-License-Identifier: GPL-2.0-only

/// Read-write protection, subject by subject.
enum RWP {
    static let scenarios: [Scenario] =
        RWPAsync.scenarios + RWPSync.scenarios + RWPUnblocked.scenarios + RWPHot.scenarios + RWPFetch.scenarios
        + RWPScan.scenarios
        + RWPMprotect.scenarios + RWPLifetime.scenarios + RWPLeaving.scenarios + RWPDrop.scenarios
        + RWPFork.scenarios + RWPRemap.scenarios + RWPSwap.scenarios
        + RWPGup.scenarios + RWPGigantic.scenarios + RWPForce.scenarios + RWPCoreDump.scenarios + RWPMigrate.scenarios
        + RWPToggle.scenarios + RWPTHP.scenarios + RWPFolios.scenarios + RWPBesideWP.scenarios
        + RWPKeeps.scenarios + RWPDirty.scenarios + RWPSoftDirty.scenarios + RWPMosaic.scenarios
        + RWPMessages.scenarios
        + RWPModes.scenarios + RWPPrivateFile.scenarios + RWPMoves.scenarios + RWPForkMore.scenarios
        + RWPNuma.scenarios + RWPDevice.scenarios + RWPDeviceAccess.scenarios + RWPDeviceLife.scenarios
        + RWPRace.scenarios + RWPRaceMapped.scenarios + RWPInterrupted.scenarios + RWPKsm.scenarios + RWPFuzz.scenarios
        + RWPAsyncLife.scenarios + RWPCollapse.scenarios + RWPNeighbours.scenarios + RWPMoveModes.scenarios
        + RWPHints.scenarios + RWPScanNothing.scenarios + RWPRegister.scenarios + RWPFilling.scenarios
        + RWPKhugepaged.scenarios + RWPNone.scenarios + RWPHalves.scenarios
        + RWPKvm.scenarios + RWPEvict.scenarios + RWPStress.scenarios
}
