import { RelaydError, errorMessage } from '../lib/errors.ts';

/** Why `addr` of network.listen cannot be listened on, from what the system said, and what to do. */
export function listenProblem(addr: string, cause: unknown): RelaydError {
  const code = (cause as NodeJS.ErrnoException).code;
  const options = { cause, data: { addr } };
  if (code === 'EADDRINUSE') {
    return new RelaydError('ADDRESS_IN_USE', `network.listen: ${addr}: the port is in use by another program; stop that program or choose another port`, options);
  }
  const [problem, advice] =
    code === 'EACCES'
      ? ['this user may not listen on that port', 'give the service the capability CAP_NET_BIND_SERVICE, or choose a port from 1024 on']
      : [`cannot listen there (${code ?? errorMessage(cause)})`, 'use an address of this machine, or 0.0.0.0 for all of them'];
  return new RelaydError('ADDRESS_UNAVAILABLE', `network.listen: ${addr}: ${problem}; ${advice}`, options);
}
