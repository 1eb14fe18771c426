/** A camera of this phone: opened, chosen, lit, and why it cannot be. */

export type Trouble = 'refused' | 'none' | 'taken' | 'insecure';

/** Why a camera did not open (W3C Media Capture and Streams, 10.3.1). */
export function troubleOf(error: unknown): Trouble {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'refused';
  if (name === 'NotReadableError' || name === 'AbortError') return 'taken';
  return 'none';
}

/** Whether pages may use cameras here at all: over https, and on the machine itself. */
export function canLook(): boolean {
  return isSecureContext && typeof navigator.mediaDevices?.getUserMedia === 'function';
}

/** Open this camera, or the one that looks away from the person. */
export function openCamera(id: string | null): Promise<MediaStream> {
  const which =
    id === null ? { facingMode: { ideal: 'environment' } } : { deviceId: { exact: id } };
  return navigator.mediaDevices.getUserMedia({
    video: { ...which, width: { ideal: 1280 }, height: { ideal: 720 } },
  });
}

/** The ids of the cameras; known once one of them was opened. */
export async function cameras(): Promise<string[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((one) => one.kind === 'videoinput' && one.deviceId !== '')
    .map((one) => one.deviceId);
}

/** The camera after this one, in a circle. */
export function nextOf(all: string[], id: string | undefined): string | null {
  return all[(all.indexOf(id ?? '') + 1) % all.length] ?? null;
}

/** Whether a camera has a light (W3C Image Capture). */
export function hasTorch(track: MediaStreamTrack): boolean {
  const can = track.getCapabilities?.() as { torch?: boolean } | undefined;
  return can?.torch === true;
}

export function setTorch(track: MediaStreamTrack, on: boolean): Promise<void> {
  return track.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] });
}

export function stop(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
