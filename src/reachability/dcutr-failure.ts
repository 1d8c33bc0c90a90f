/** Why a circuit stays, where a further attempt at once would end the same way. */
export class UpgradeFailure extends Error {
  readonly outcome: 'unsupported' | 'no address' | 'refused';

  constructor(outcome: UpgradeFailure['outcome'], message: string) {
    super(message);
    this.outcome = outcome;
  }
}
